"""Nobody has more diagrams than they may, whatever they do and however many do it at once."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.db import engine
from app.db.session import Database
from app.diagrams import queries, service, transfer, trash
from app.diagrams.errors import DiagramLimitReached, DiagramNotFound, NotInTrash
from app.diagrams.schemas import DiagramIn, DuplicateIn
from app.settings import Settings
from tests.commands import environment_of
from tests.http.browsers import serving
from tests.http.test_diagrams import MAP
from tests.people import ALICE, BOB
from tests.places import CHECKOUT

PAYLOAD = DiagramIn(title="水", diagram_type="mind_map", spec={"topic": "水", "children": []})


def counts(database: Database, user_id: int = ALICE.id) -> tuple[int, int]:
    """How many diagrams there are, and how many in the trash."""
    with database.read() as session:
        return (
            queries.count(session, user_id),
            queries.count(session, user_id, in_trash=True),
        )


def fill(
    database: Database, settings: Settings, number: int, *, deleted: bool = False
) -> list[str]:
    made = []
    for _ in range(number):
        with database.begin() as session:
            diagram = service.create(session, settings, ALICE.id, PAYLOAD)
            if deleted:
                trash.put(session, settings, ALICE.id, diagram.id)
        made.append(diagram.id)
    return made


def test_50_that_come_at_once_leave_20_by_http(settings: Settings, database: Database) -> None:
    with serving(
        settings.model_copy(update={"diagram_quota": 20, "rate_limits": False})
    ) as service:
        browser = service.browser_of(ALICE)

        def create(at: int) -> int:
            return browser.post("/api/diagrams", json=MAP | {"title": str(at)}).status_code

        with ThreadPoolExecutor(50) as threads:
            statuses = list(threads.map(create, range(50)))
        refused = browser.post("/api/diagrams", json=MAP)
        assert service.browser_of(BOB).post("/api/diagrams", json=MAP).status_code == 201
    assert (statuses.count(201), statuses.count(409)) == (20, 30)
    assert counts(database) == (20, 0)
    assert refused.json()["error"] == "DiagramLimitReached"
    assert "20 diagrams" in refused.json()["detail"]


def test_50_of_five_processes_leave_20(settings: Settings, database: Database) -> None:
    environ = environment_of(settings) | {"DIAGRAM_QUOTA": "20"}
    command = [sys.executable, "-m", "tests.integration.creating", str(ALICE.id), "10"]
    started = [
        subprocess.Popen(command, env=environ, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    made = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 5
    assert sum(map(int, made)) == 20
    assert counts(database) == (20, 0)


@pytest.mark.parametrize("way", ["create", "duplicate", "restore", "import", "all of them"])
def test_all_ways_to_another_diagram_count_together(
    settings: Settings, database: Database, way: str
) -> None:
    few = settings.model_copy(update={"diagram_quota": 10})
    in_trash = fill(database, few, 10, deleted=True)
    (original,) = fill(database, few, 1)

    def document(at: int) -> bytes:
        moment = "2026-01-01T00:00:00Z"
        one = PAYLOAD.model_dump() | {"created_at": moment, "updated_at": moment}
        diagrams = [one | {"id": f"imported-{at}"}]
        return json.dumps(
            {"format": "mindgraph", "format_version": 1, "diagrams": diagrams}
        ).encode()

    ways: dict[str, Callable[[Any, int], object]] = {
        "create": lambda session, _: service.create(session, few, ALICE.id, PAYLOAD),
        "duplicate": lambda session, _: service.duplicate(
            session, few, ALICE.id, original, DuplicateIn()
        ),
        "restore": lambda session, at: trash.restore(session, few, ALICE.id, in_trash[at % 10]),
        "import": lambda session, at: transfer.store(
            session, few, ALICE.id, transfer.read(few, ALICE.id, document(at))
        ),
    }
    chosen = list(ways.values()) if way == "all of them" else [ways[way]]

    def attempt(at: int) -> bool:
        try:
            with pool.begin() as session:
                chosen[at % len(chosen)](session, at)
        except DiagramLimitReached:
            return False
        return True

    pool = Database(engine.build(few, name="test", threads=8))
    attempts = 10 if way == "restore" else 20
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(attempt, range(attempts)))
    pool.close()
    assert done.count(True) == 9
    assert counts(database)[0] == 10


class Someone:
    """Does things, and knows what should come of them."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.live: list[str] = []
        # The oldest first.
        self.thrown: list[str] = []

    @property
    def full(self) -> bool:
        return len(self.live) >= self.settings.diagram_quota

    def create(self, _: int) -> None:
        with self.unit(DiagramLimitReached if self.full else None) as session:
            self.live.append(service.create(session, self.settings, ALICE.id, PAYLOAD).id)

    def duplicate(self, at: int) -> None:
        refused = DiagramLimitReached if self.full else None
        source = self.live[at % len(self.live)] if self.live else "none"
        with self.unit(refused if self.live else DiagramNotFound) as session:
            copy = service.duplicate(session, self.settings, ALICE.id, source, DuplicateIn())
            self.live.append(copy.id)

    def delete(self, at: int) -> None:
        one = self.live.pop(at % len(self.live)) if self.live else "none"
        with self.unit(None if one != "none" else DiagramNotFound) as session:
            trash.put(session, self.settings, ALICE.id, one)
            self.thrown = [*self.thrown, one][-self.settings.diagram_quota :]

    def restore(self, at: int) -> None:
        refused = DiagramLimitReached if self.full else None
        one = self.thrown[at % len(self.thrown)] if self.thrown else "none"
        with self.unit(refused if self.thrown else NotInTrash) as session:
            trash.restore(session, self.settings, ALICE.id, one)
            self.thrown.remove(one)
            self.live.append(one)

    def purge(self, at: int) -> None:
        one = self.thrown.pop(at % len(self.thrown)) if self.thrown else "none"
        with self.unit(None if one != "none" else NotInTrash) as session:
            trash.purge(session, ALICE.id, one)

    def empty(self, _: int) -> None:
        with self.unit(None) as session:
            assert trash.empty(session, ALICE.id).deleted == len(self.thrown)
            self.thrown = []

    @contextmanager
    def unit(self, error: type[Exception] | None) -> Iterator[Session]:
        with pytest.raises(error) if error else nullcontext(), self.database.begin() as session:
            yield session


ACTIONS = st.sampled_from(["create", "duplicate", "delete", "restore", "purge", "empty"])


@examples(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(ACTIONS, st.integers(0, 5)), max_size=30), quota=st.integers(1, 4))
def test_any_sequence_keeps_to_the_quota_and_to_what_is_expected_of_it(
    settings: Settings, database: Database, steps: list[tuple[str, int]], quota: int
) -> None:
    with database.begin() as session:
        service.delete_all_of(session, ALICE.id)
    someone = Someone(database, settings.model_copy(update={"diagram_quota": quota}))
    for action, at in steps:
        getattr(someone, action)(at)
        assert counts(database) == (len(someone.live), len(someone.thrown))
    assert len(someone.live) <= quota
    assert len(someone.thrown) <= quota
