"""Makes what diagrams are found by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.db import terms
from app.db.session import Database
from app.diagrams import queries, texts
from app.diagrams.models import Diagram
from app.diagrams.spec import Spec

BATCH = 50


@dataclass(frozen=True)
class Indexed:
    """A text as it is stored: normalized, and taken apart into terms."""

    content: str
    terms: list[str]

    def values(self, source_updated_at: datetime) -> dict[str, Any]:
        return {
            "content": self.content,
            "terms": self.terms,
            "source_updated_at": source_updated_at,
        }


def prepare(user_id: int, title: str, spec: Spec) -> Indexed:
    content = texts.of(title, spec)
    return Indexed(content, [*texts.terms(content), terms.of_owner(user_id)])


def add(session: Session, diagram_id: str, text: Indexed, source_updated_at: datetime) -> None:
    """Stores the text of a new diagram."""
    queries.add_text(session, diagram_id, text.values(source_updated_at))


def store(session: Session, diagram_id: str, text: Indexed, source_updated_at: datetime) -> None:
    """Stores the text of a diagram that is locked."""
    queries.save_text(session, diagram_id, text.values(source_updated_at))


def index(session: Session, diagram: Diagram) -> None:
    """Makes a diagram that is locked be found by what it says now."""
    text = prepare(diagram.user_id, diagram.title, diagram.spec)
    store(session, diagram.id, text, diagram.updated_at)


def index_stale(database: Database) -> int:
    """Indexes what isn't, or not as it is now; how many diagrams.

    These were written by the release before there was a search, or moved here from elsewhere.
    """
    total = 0
    after = ""
    while True:
        with database.read() as session:
            batch = queries.list_stale(session, after, BATCH)
        if not batch:
            return total
        made = [(one, prepare(one.user_id, one.title, one.spec)) for one in batch]
        # A transaction for each batch: others want to write as well.
        with database.begin() as session:
            current = queries.lock_current(session, [one.id for one in batch])
            for one, text in made:
                if current.get(one.id) == one.updated_at:
                    store(session, one.id, text, one.updated_at)
                    total += 1
        after = batch[-1].id
