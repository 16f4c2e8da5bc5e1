"""Which statements the database spends its time on, by pg_stat_statements."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, exc, text

from app.db import engine
from app.db.session import DatabaseUnavailable
from app.errors import Conflict
from app.settings import Settings

# Of all roles, as one: who asked makes no difference to what it costs.
SLOWEST = """
WITH counted AS (
    SELECT queryid, min(query) AS statement, sum(calls)::bigint AS calls, sum(rows)::bigint AS rows,
        sum(total_exec_time) AS total_ms
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY queryid
)
SELECT statement, calls, rows, total_ms, total_ms / greatest(calls, 1) AS mean_ms,
    total_ms / nullif(sum(total_ms) OVER (), 0) AS share
FROM counted ORDER BY total_ms DESC LIMIT :top
"""
HIDDEN = "<insufficient privilege>"
# The driver's code for what isn't there, and for what isn't loaded.
ABSENT = {"42P01", "55000"}


class NoStatistics(Conflict):
    """The embedded database keeps no statistics of statements; PostgreSQL does."""


class ExtensionMissing(Conflict):
    """pg_stat_statements is missing; the superuser loads it and runs CREATE EXTENSION."""


class StatementsHidden(Conflict):
    """This role may not see what others ask; GRANT pg_read_all_stats to DATABASE_OWNER."""


@dataclass(frozen=True)
class Statement:
    """Since the statistics were reset. `share` is of the time of all, from 0 to 1."""

    statement: str
    calls: int
    rows: int
    total_ms: float
    mean_ms: float
    share: float


def slowest(settings: Settings, top: int) -> list[Statement]:
    """Those that took most time in all, the first one first.

    Raises:
        NoStatistics, ExtensionMissing, StatementsHidden, DatabaseUnavailable.
    """
    if settings.embedded:
        raise NoStatistics
    with _connected(settings) as connection:
        rows = connection.execute(text(SLOWEST), {"top": top}).all()
    if any(row.statement == HIDDEN for row in rows):
        raise StatementsHidden
    return [Statement(**row._mapping) for row in rows]


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[Connection]:
    direct = engine.build_direct(settings, name="statements")
    try:
        with direct.connect() as connection:
            yield connection
    except exc.DBAPIError as error:
        if getattr(error.orig, "pgcode", None) in ABSENT:
            raise ExtensionMissing from error
        raise DatabaseUnavailable from error
    finally:
        direct.dispose()
