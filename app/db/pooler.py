"""What PgBouncer, where the app goes through one, says of itself on its console."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extras import DictCursor

from app.db import engine
from app.errors import Unavailable
from app.settings import Settings

# It is no database: what looks like one is the console.
CONSOLE = "pgbouncer"


class PoolerUnavailable(Unavailable):
    """The pooler doesn't answer, or doesn't tell the app of its pools."""


@dataclass(frozen=True)
class Pool:
    """Of the app's database and role: clients that wait for a connection to the server, for how
    long the first of them has, connections in use, and how many may be."""

    waiting: int
    longest_wait_s: float
    used: int
    allowed: int


def is_there(settings: Settings) -> bool:
    """Whether somebody stands between the app and the server."""
    by_parts = settings.database_url is None and settings.database_host is not None
    return by_parts and settings.database_direct_host is not None


def pool(settings: Settings) -> Pool:
    """Raises PoolerUnavailable."""
    target = engine.url(settings).set(database=CONSOLE)
    options: dict[str, Any] = {
        **target.translate_connect_args(database="dbname", username="user"),
        **target.query,
        "connect_timeout": settings.database_connect_timeout_s,
    }
    try:
        with closing(psycopg2.connect(**options, cursor_factory=DictCursor)) as connection:
            # The console knows no transactions.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SHOW POOLS")
                pools = cursor.fetchall()
                cursor.execute("SHOW DATABASES")
                databases = cursor.fetchall()
    except psycopg2.Error as error:
        raise PoolerUnavailable(f"the pooler's console: {str(error).strip()}") from error
    return _summed(settings, pools, databases)


def _summed(
    settings: Settings,
    pools: list[Mapping[str, Any]],
    databases: list[Mapping[str, Any]],
) -> Pool:
    name, role = settings.database_name, settings.database_user
    mine = [one for one in pools if (one["database"], one["user"]) == (name, role)]
    allowed = [
        one["pool_size"] + one["reserve_pool_size"] for one in databases if one["name"] == name
    ]
    return Pool(
        waiting=sum(one["cl_waiting"] for one in mine),
        longest_wait_s=max((one["maxwait"] + one["maxwait_us"] / 1e6 for one in mine), default=0),
        used=sum(one["sv_active"] for one in mine),
        allowed=sum(allowed),
    )
