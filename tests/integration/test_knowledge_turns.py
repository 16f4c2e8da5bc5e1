"""Who is next, and what nobody has to wait for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.engine import Connection

from app import clock
from app.knowledge import claim_queries, claims, ingestion, states
from app.knowledge.models import Chunk, Document, Turn, Version
from app.knowledge.schemas import VersionOut
from app.knowledge.tools import Tools
from app.users.models import User
from tests import documents
from tests.databases import on_postgresql
from tests.documents import long_text
from tests.people import ALICE, BOB, CHARLIE, Person


def owners_of_claims(tools: Tools, number: int) -> list[int]:
    """Whose versions the next claims are of, none of which ends."""
    found = []
    for _ in range(number):
        claim = claims.take(tools.database)
        assert claim is not None
        found.append(claim.read().user_id)
    return found


def add_many(tools: Tools, person: Person, number: int) -> None:
    for at in range(number):
        documents.add(tools, person.id, f"{person.name} {at}", f"{at}.md")


def newest(tools: Tools, person: Person, document_id: str) -> VersionOut:
    return documents.read(tools, person.id, document_id).newest


def test_who_has_much_to_read_does_not_keep_others_waiting(hashed_tools: Tools) -> None:
    add_many(hashed_tools, ALICE, 12)
    add_many(hashed_tools, BOB, 1)
    assert owners_of_claims(hashed_tools, 3) == [ALICE.id, BOB.id, ALICE.id]


def test_users_take_turns(hashed_tools: Tools) -> None:
    for person in (CHARLIE, ALICE, BOB):
        add_many(hashed_tools, person, 3)
    turns = [CHARLIE.id, ALICE.id, BOB.id]
    assert owners_of_claims(hashed_tools, 9) == turns * 3
    assert claims.take(hashed_tools.database) is None


def test_the_documents_of_one_user_are_read_in_their_order(hashed_tools: Tools) -> None:
    made = [documents.add(hashed_tools, ALICE.id, f"{at}", f"{at}.md").id for at in range(5)]
    taken = []
    while (claim := claims.take(hashed_tools.database)) is not None:
        taken.append(claim.read().document_id)
    assert taken == made


def test_a_long_text_is_read_between_many_of_somebody_else(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 1)
    for at in range(10):
        documents.add(hashed_tools, ALICE.id, long_text(f"long {at}", 6), f"{at}.md")
    short = documents.add(hashed_tools, BOB.id, long_text("short", 3), "short.md")
    turns = 0
    while newest(hashed_tools, BOB, short.id).state != "ready":
        assert ingestion.work_next(hashed_tools, documents.NEVER)
        turns += 1
    # Each of its slices is one turn after one of the other's.
    assert turns <= 2 * newest(hashed_tools, BOB, short.id).chunks + 2


def test_turns_of_long_ago_are_forgotten(hashed_tools: Tools) -> None:
    add_many(hashed_tools, ALICE, 1)
    assert owners_of_claims(hashed_tools, 1) == [ALICE.id]
    with hashed_tools.database.begin() as session:
        assert claim_queries.delete_turns(session, clock.now() - timedelta(days=1)) == 0
        assert claim_queries.delete_turns(session, clock.now() + timedelta(days=1)) == 1
        assert session.scalars(select(Turn)).all() == []


def test_five_thousand_that_wait_are_not_looked_through_by_the_table(hashed_tools: Tools) -> None:
    document = documents.add(hashed_tools, ALICE.id, "Text")
    with hashed_tools.database.begin() as session:
        version = session.scalars(select(Version)).one()
        common: dict[str, Any] = {
            "document_id": document.id,
            "sha256": version.sha256,
            "size": 1,
            "created_at": version.created_at,
        }
        for at in range(2, 5_002):
            state = states.QUEUED if at % 50 == 0 else states.REPLACED
            due = clock.now() if state == states.QUEUED else None
            session.add(Version(id=f"{at:036}", number=at, state=state, due_at=due, **common))
    with hashed_tools.database.begin() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ANALYZE knowledge_versions"))
    explain = {"postgresql": "EXPLAIN ", "sqlite": "EXPLAIN QUERY PLAN "}
    plans = []

    def note(connection: Connection, _cursor: Any, statement: str, *rest: Any) -> None:
        if "knowledge_turns" in statement and statement.startswith("SELECT"):
            shown = connection.exec_driver_sql(
                explain[connection.dialect.name] + statement, rest[0]
            )
            plans.append("\n".join(" ".join(map(str, row)) for row in shown))

    with hashed_tools.database.begin() as session:
        engine = session.get_bind().engine
    with listening(engine, "before_cursor_execute", note):
        assert claims.take(hashed_tools.database) is not None
    (plan,) = plans
    assert "ix_knowledge_versions_due" in plan


@contextmanager
def listening(engine: Any, name: str, hook: Any) -> Iterator[None]:
    event.listen(engine, name, hook)
    try:
        yield
    finally:
        event.remove(engine, name, hook)


@on_postgresql
def test_an_owner_is_not_locked_while_the_passages_of_a_book_are_stored(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.knowledge.reading.BATCH", 1)
    document = documents.add(hashed_tools, ALICE.id, long_text("book", 4))
    locked: list[int | str | None] = []

    def lock_owner(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO knowledge_chunks"):
            with hashed_tools.database.begin() as session:
                owner = select(User.id).where(User.id == ALICE.id)
                locked.append(session.scalar(owner.with_for_update(nowait=True)))
                row = select(Document.id).where(Document.id == document.id)
                locked.append(session.scalar(row.with_for_update(nowait=True)))

    with hashed_tools.database.begin() as session:
        engine = session.get_bind().engine
    with listening(engine, "after_cursor_execute", lock_owner):
        documents.work(hashed_tools)
    chunks = newest(hashed_tools, ALICE, document.id).chunks
    assert chunks > 3
    assert locked == [ALICE.id, document.id] * chunks


class StopAtLook(threading.Event):
    """Set from a number of looks on."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_a_worker_that_is_told_to_stop_does_so_between_any_two_passages(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 2)
    document = documents.add(hashed_tools, ALICE.id, long_text("text", 12))
    looks = 0
    seen = set()
    while (version := newest(hashed_tools, ALICE, document.id)).state != "ready":
        seen.add(version.state)
        assert ingestion.work_next(hashed_tools, StopAtLook(looks))
        looks += 1
    assert seen == {"queued", "extracting", "embedding"}
    # More often than the reading process was looked at.
    assert looks > version.chunks
    with hashed_tools.database.read() as session:
        assert len(session.scalars(select(Chunk.id)).all()) == version.chunks
