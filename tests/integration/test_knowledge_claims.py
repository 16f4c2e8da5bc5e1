"""Several workers, and what owners do meanwhile: nobody gets in another's way."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from app.errors import AppError
from app.knowledge import claims, consistency, removals, service
from app.knowledge.claims import ClaimLost
from app.knowledge.errors import NothingToCancel
from app.knowledge.schemas import DocumentOut
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents, ingesting
from tests.databases import on_postgresql
from tests.documents import long_text
from tests.interruptions import Interruption
from tests.people import ALICE


def require_whole(tools: Tools) -> None:
    """Chunks and points are one to one, and no file is missing or superfluous."""
    report = consistency.check(tools, fix=False)
    assert [one.found for one in report.differences] == [0, 0, 0, 0], report
    assert report.chunks == report.points


def test_workers_at_the_same_time_never_have_the_same_version(hashed_tools: Tools) -> None:
    for number in range(8):
        documents.add(hashed_tools, ALICE.id, f"Text {number}", f"{number}.md")

    def take_all() -> list[str]:
        taken = []
        while (claim := claims.take(hashed_tools.database)) is not None:
            taken.append(claim.version_id)
        return taken

    with ThreadPoolExecutor() as threads:
        workers = [threads.submit(take_all) for _ in range(3)]
        taken = [one for worker in workers for one in worker.result()]
    assert len(taken) == len(set(taken)) == 8


def test_a_claim_that_another_worker_has_taken_over_is_lost(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, "Text")
    first = claims.take(hashed_tools.database)
    assert first is not None
    assert claims.take(hashed_tools.database) is None
    documents.let_time_pass(hashed_tools.database)
    second = claims.take(hashed_tools.database)
    assert second is not None
    with pytest.raises(ClaimLost):
        first.read()
    with pytest.raises(ClaimLost), first.writing() as session:
        first.write(session, state="failed")
    assert second.read().state == "queued"


def cancel(tools: Tools, document: DocumentOut) -> None:
    try:
        with tools.database.begin() as session:
            service.cancel(session, ALICE.id, document.id)
    except NothingToCancel:
        # It was ready already.
        pass


def delete(tools: Tools, document: DocumentOut) -> None:
    documents.delete(tools, ALICE.id, document.id)


def replace(tools: Tools, document: DocumentOut) -> None:
    documents.replace(tools, ALICE.id, document.id, long_text(f"other {document.name}", 2))


def cancel_and_retry(tools: Tools, document: DocumentOut) -> None:
    cancel(tools, document)
    if documents.read(tools, ALICE.id, document.id).newest.state == "cancelled":
        with tools.database.begin() as session:
            service.retry(session, ALICE.id, document.id)


def take_over(tools: Tools, _document: DocumentOut) -> None:
    """The worker stands still for so long that another one does its work."""
    documents.let_time_pass(tools.database)
    documents.work(tools)


def delete_while_it_stands_still(tools: Tools, document: DocumentOut) -> None:
    """All is gone, its points as well, when the worker wakes up."""
    documents.let_time_pass(tools.database)
    delete(tools, document)
    documents.let_time_pass(tools.database)
    while removals.drain(tools.database, tools.qdrant):
        pass


def cancel_while_it_stands_still(tools: Tools, document: DocumentOut) -> None:
    documents.let_time_pass(tools.database)
    cancel(tools, document)
    documents.let_time_pass(tools.database)
    while removals.drain(tools.database, tools.qdrant):
        pass


# With what the newest version may be afterwards; nothing of a document that is gone.
DEEDS: tuple[tuple[Callable[[Tools, DocumentOut], None], set[str]], ...] = (
    (cancel, {"cancelled", "ready"}),
    (delete, set()),
    (replace, {"ready"}),
    (cancel_and_retry, {"ready"}),
    (take_over, {"ready"}),
    (delete_while_it_stands_still, set()),
    (cancel_while_it_stands_still, {"cancelled", "ready"}),
)


@pytest.mark.parametrize(("deed", "states"), DEEDS, ids=[one.__name__ for one, _ in DEEDS])
def test_whatever_happens_between_two_steps_of_a_worker_nothing_comes_apart(
    hashed_tools: Tools,
    monkeypatch: pytest.MonkeyPatch,
    deed: Callable[[Tools, DocumentOut], None],
    states: set[str],
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 2)
    monkeypatch.setattr("app.knowledge.indexing.UPSERT", 2)
    ended = set()
    for point in itertools.count(1):
        name = f"{deed.__name__}{point}.md"
        document = documents.add(hashed_tools, ALICE.id, long_text(name), name)
        happening = Interruption(point, partial(deed, hashed_tools, document), ahead=True)
        with happening.expected(hashed_tools):
            documents.work(hashed_tools)
        if not happening.came:
            break
        documents.let_time_pass(hashed_tools.database)
        documents.work(hashed_tools)
        require_whole(hashed_tools)
        ended |= state_of(hashed_tools, document)
    assert point > 12
    assert ended == states


class Accident(Exception):
    """Something that nobody has thought of."""


def test_an_error_between_any_two_steps_ends_in_another_try(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 2)
    monkeypatch.setattr("app.knowledge.indexing.UPSERT", 2)

    def fail() -> None:
        raise Accident

    for point in itertools.count(1):
        name = f"error{point}.md"
        document = documents.add(hashed_tools, ALICE.id, long_text(name), name)
        accident = Interruption(point, fail, ahead=True)
        # One with a claim is caught.
        with accident.expected(hashed_tools), suppress(Accident):
            documents.work(hashed_tools)
        if not accident.came:
            break
        documents.let_time_pass(hashed_tools.database)
        documents.work(hashed_tools)
        assert state_of(hashed_tools, document) == {"ready"}
        require_whole(hashed_tools)
    assert point > 12


def state_of(tools: Tools, document: DocumentOut) -> set[str]:
    with tools.database.read() as session:
        try:
            found = service.require(session, ALICE.id, document.id)
        except AppError:
            return set()
    assert (found.newest.chunks > 0) == (found.newest.state == "ready")
    return {found.newest.state}


@on_postgresql
@pytest.mark.parametrize("deed", [take_over, delete_while_it_stands_still])
def test_a_worker_that_was_stopped_and_wakes_up_late_does_no_harm(
    hashed: Settings, hashed_tools: Tools, deed: Callable[[Tools, DocumentOut], None]
) -> None:
    """The kernel stops it, between any two of its steps."""
    with ingesting.running(hashed) as ingester:
        for point in itertools.count(1):
            name = f"stopped{point}.md"
            document = documents.add(hashed_tools, ALICE.id, long_text(name, 2), name)
            stopped = ingester.stop(point, ("work",))
            if not stopped:
                break
            deed(hashed_tools, document)
            ingester.go_on()
            documents.let_time_pass(hashed_tools.database)
            documents.work(hashed_tools)
            require_whole(hashed_tools)
    assert point > 8


def test_a_later_version_that_is_ready_first_stays_the_one_that_is_found(
    hashed_tools: Tools,
) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("first"), "text.md")
    early = claims.take(hashed_tools.database)
    assert early is not None
    documents.replace(hashed_tools, ALICE.id, document.id, long_text("second"))
    documents.work(hashed_tools)
    documents.let_time_pass(hashed_tools.database)
    documents.work(hashed_tools)
    with pytest.raises(ClaimLost):
        early.read()
    found = documents.read(hashed_tools, ALICE.id, document.id)
    assert (found.current, found.newest.state) == (2, "ready")
    with hashed_tools.database.read() as session:
        versions = service.list_versions(session, ALICE.id, document.id)
    assert [one.state for one in versions] == ["ready", "replaced"]
    require_whole(hashed_tools)
