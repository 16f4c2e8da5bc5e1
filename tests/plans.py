"""How the database would run what a test asks of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.db.session import Database


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """Collects the plan of each SELECT and DELETE in the block."""
    plans: list[str] = []
    prefix = {"postgresql": "EXPLAIN ", "sqlite": "EXPLAIN QUERY PLAN "}
    explain = prefix[database.engine.dialect.name]

    def note(
        connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, *_: Any
    ) -> None:
        if statement.startswith(("SELECT", "DELETE")):
            rows = connection.exec_driver_sql(explain + statement, parameters)
            plans.append("\n".join(" ".join(map(str, row)) for row in rows))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
