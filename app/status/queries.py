"""What the database server says about itself."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.status.schemas import Connections


def connections(session: Session) -> Connections | None:
    """Those of all clients of the server; None where the database is a file."""
    if session.connection().dialect.name != "postgresql":
        return None
    row = session.execute(
        text(
            "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'"
        )
    ).one()
    return Connections(used=row[0], allowed=row[1])
