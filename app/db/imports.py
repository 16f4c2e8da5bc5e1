"""Whether rows of an old SQLite file are still on their way into a PostgreSQL database."""

from sqlalchemy import Connection, text

from app.errors import Unavailable

# In the catalog it is seen also by roles that may not use the schema.
IS_UNFINISHED = text(
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'legacy' AND c.relname = 'import_state')"
)
WHAT_TO_DO = (
    "an import into this database is not finished: wait for it, or if it was interrupted, go on "
    "with `mindgraph import-sqlite SOURCE --resume` or begin anew with --restart"
)


class ImportUnfinished(Unavailable):
    """An import into this database is not finished."""

    # It takes minutes, or somebody has to go on with it first.
    retry_after = 60


def require_finished(connection: Connection) -> None:
    """Raises ImportUnfinished."""
    if connection.dialect.name == "postgresql" and connection.scalar(IS_UNFINISHED):
        raise ImportUnfinished(WHAT_TO_DO)
