"""Where the target is. Apart from `connections`, whose users need not load all that this needs."""

from psycopg2.extensions import make_dsn
from sqlalchemy import make_url

from app.db import engine
from app.errors import InvalidInput
from app.ops.migrate import connections
from app.settings import Settings


def dsn(settings: Settings) -> str:
    """How to reach the target as the owner, with the password in it.

    Raises:
        InvalidInput: the settings name no PostgreSQL.
    """
    url = engine.url(settings, owner=True)
    if url.get_backend_name() != "postgresql":
        raise InvalidInput(
            "the target must be PostgreSQL: set DATABASE_HOST and its passwords, "
            "or say --to postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    options = " ".join(f"-c {name}={value}" for name, value in connections.OPTIONS.items())
    parts = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
        "connect_timeout": settings.database_connect_timeout_s,
        "application_name": connections.PROGRAM,
        "options": options,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        **{name: str(value) for name, value in url.query.items() if name != "application_name"},
    }
    return make_dsn(**{name: str(value) for name, value in parts.items() if value is not None})


def shown(settings: Settings) -> str:
    """The target without the password."""
    return make_url(engine.url(settings, owner=True)).render_as_string(hide_password=True)
