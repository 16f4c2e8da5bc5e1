"""A file that no version needs is kept for a while: the database may not be restored yet."""

import threading

import pytest
import redis
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from app.jobs import broker as brokers
from app.jobs import tasks
from app.knowledge import cleaning, consistency, storage
from app.knowledge.models import Document, Version
from app.knowledge.tools import Tools
from tests import documents
from tests.people import ALICE


def put(tools: Tools, content: bytes = b"Superfluous") -> str:
    """A file that no version needs; its hash."""
    with tools.files.receiving() as incoming:
        incoming.write(content)
        with tools.files.keeping(incoming):
            return incoming.sha256


def clean(tools: Tools) -> int:
    """How many files were deleted, by the hourly cleaning and by the daily check."""
    checked = consistency.check(tools, fix=True, at_once=False).differences[3]
    assert checked.found == checked.fixed
    return cleaning.clean(tools)["files"] + checked.fixed


def name_file(tools: Tools, sha256: str) -> str:
    """Has the one version need another file, as an older state of the database does; which one it
    needed."""
    with tools.database.begin() as session:
        version = session.scalars(select(Version)).one()
        before, version.sha256 = version.sha256, sha256
    return before


def lose_the_database(tools: Tools) -> None:
    with tools.database.begin() as session:
        session.execute(delete(Document))


def test_a_file_goes_when_it_has_been_unneeded_for_its_grace(hashed_tools: Tools) -> None:
    needed = documents.add(hashed_tools, ALICE.id, "Needed").newest.sha256
    unneeded = put(hashed_tools)
    for _ in range(2):
        assert clean(hashed_tools) == 0
    assert hashed_tools.files.exists(unneeded)
    documents.let_grace_pass(hashed_tools.files)
    assert clean(hashed_tools) == 1
    assert list(hashed_tools.files.list_()) == [needed]
    # When it comes again, its time begins anew.
    put(hashed_tools)
    assert clean(hashed_tools) == 0


def test_the_jobs_of_the_worker_keep_to_the_grace(hashed_tools: Tools, cache: redis.Redis) -> None:
    broker = brokers.build(cache)
    tasks.register(broker, cache, hashed_tools, threading.Event())
    documents.add(hashed_tools, ALICE.id, "Needed")
    unneeded = put(hashed_tools)
    for _ in range(2):
        for job in (tasks.CLEAN, tasks.CHECK):
            broker.get_actor(job)()
    assert hashed_tools.files.exists(unneeded)
    documents.let_grace_pass(hashed_tools.files)
    broker.get_actor(tasks.CHECK)()
    assert not hashed_tools.files.exists(unneeded)


def test_a_file_that_waits_for_its_end_is_told_and_mended_by_command(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, "Needed")
    unneeded = put(hashed_tools)
    clean(hashed_tools)
    report = consistency.check(hashed_tools, fix=False)
    assert [one.found for one in report.differences] == [0, 0, 0, 1]
    assert report.differences[3].examples == [unneeded]
    assert consistency.check(hashed_tools, fix=True).is_clean
    assert not hashed_tools.files.exists(unneeded)


def test_an_explicit_deletion_deletes_at_once(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, "Needed")
    unneeded = put(hashed_tools)
    clean(hashed_tools)
    storage.discard(hashed_tools.database, hashed_tools.files, [unneeded])
    assert not hashed_tools.files.exists(unneeded)


@pytest.mark.parametrize("by", ["an upload", "a restored database"])
def test_the_time_of_a_file_that_was_needed_in_between_begins_anew(
    hashed_tools: Tools, by: str
) -> None:
    documents.add(hashed_tools, ALICE.id, "Needed")
    unneeded = put(hashed_tools)
    clean(hashed_tools)
    documents.let_grace_pass(hashed_tools.files)
    if by == "an upload":
        put(hashed_tools)
    else:
        needed = name_file(hashed_tools, unneeded)
        clean(hashed_tools)
        name_file(hashed_tools, needed)
    assert clean(hashed_tools) == 0
    assert hashed_tools.files.exists(unneeded)


def test_no_file_goes_while_the_database_is_empty(hashed_tools: Tools) -> None:
    document = documents.add(hashed_tools, ALICE.id, "Lost").newest.sha256
    superfluous = put(hashed_tools)
    clean(hashed_tools)
    documents.let_grace_pass(hashed_tools.files)
    lose_the_database(hashed_tools)
    with capture_logs() as logs:
        assert clean(hashed_tools) == 0
    told = {(one["log_level"], one["event"]) for one in logs}
    assert len(told) == 1
    assert "restore the database" in str(told)
    assert "mindgraph knowledge check --fix" in str(told)
    assert set(hashed_tools.files.list_()) == {document, superfluous}
    # Somebody begins anew, and the database is restored only then.
    documents.add(hashed_tools, ALICE.id, "New")
    clean(hashed_tools)
    assert hashed_tools.files.exists(document)


def test_a_new_installation_cleans_without_an_error(hashed_tools: Tools) -> None:
    with capture_logs() as logs:
        assert clean(hashed_tools) == 0
    assert logs == []
