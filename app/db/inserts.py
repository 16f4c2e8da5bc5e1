from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

# The two engines share the statement, but SQLAlchemy has one of its own for each.
BY_DIALECT = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def into(session: Session, table: Any) -> Any:
    """An INSERT that can be told what to do where there is such a row: `on_conflict_do_...`."""
    return BY_DIALECT[session.get_bind().dialect.name](table)
