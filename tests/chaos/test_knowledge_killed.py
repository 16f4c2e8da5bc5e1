"""What keeps the documents dies, is emptied or is lost: database, files and Qdrant come together
again."""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from docker.models.containers import Container

from tests.chaos import papers
from tests.chaos.papers import PATIENCE_S, Paper, Reader
from tests.stack.kills import init_of, kill_and_wait_for_restart, main_process_of
from tests.stack.stacks import SERVICES, Stack, running

# How often something is killed. More take longer, and find more.
KILLS = int(os.environ.get("MINDGRAPH_KILLS", "12"))
# At least; they go on for as long as something is killed.
PAPERS = 100
AHEAD = 20
VICTIMS: tuple[Callable[[Container], int], ...] = (main_process_of, init_of)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    settings = {
        "INGESTION_THREADS": "2",
        "KNOWLEDGE_DOCUMENT_QUOTA": "5000",
        "RATE_LIMITS": "false",
    }
    with running(settings=settings) as stack:
        yield stack


@pytest.fixture
def reader(stack: Stack) -> Iterator[Reader]:
    someone = Reader(stack.url)
    yield someone
    someone.close()


def test_kills_of_everything_during_an_ingestion_lose_no_document(
    stack: Stack, reader: Reader
) -> None:
    chance = random.Random(os.urandom(8))
    # As often each, in an order that nobody has thought of.
    victims = [SERVICES[number % len(SERVICES)] for number in range(KILLS)]
    chance.shuffle(victims)
    uploading = Uploading(reader)
    uploading.start()
    try:
        for service in victims:
            before = reader.count("ready")
            stack.wait(partial(uploading.has_come_beyond, before), "it goes on", PATIENCE_S)
            time.sleep(chance.uniform(0, 2))
            pid = victim(stack, service, chance)
            kill_and_wait_for_restart(stack, service, pid)
    finally:
        uploading.enough.set()
        uploading.join()
    stack.wait(stack.is_well, "all is well", PATIENCE_S)
    require_all_ready(stack, reader, len(uploading.written))
    stack.wait(lambda: count(stack, "knowledge_removals") == 0, "what is gone has no points")
    # Who was killed ahead of deleting a file leaves it. Nothing else differs.
    mended = checked(stack, 0, "--fix")["differences"]
    assert [one["found"] for one in mended[:3]] == [0, 0, 0], mended
    check(stack)
    assert [paper.name for paper in uploading.written if not reader.finds(paper)] == []
    assert reader.failures > 0


def test_a_flush_of_redis_during_an_ingestion_holds_up_no_document(
    stack: Stack, reader: Reader
) -> None:
    written = papers.papers(10)
    for paper in written:
        reader.upload(paper)
        redis(stack, "FLUSHALL")
    require_all_ready(stack, reader, len(written))
    check(stack)


def test_while_qdrant_is_away_documents_wait_and_words_are_found(
    stack: Stack, reader: Reader
) -> None:
    before, during = papers.papers(2)
    reader.upload(before)
    require_all_ready(stack, reader, 1)
    stack.container("qdrant").stop()
    try:
        waiting = reader.upload(during)
        stack.wait(
            lambda: reader.read(waiting)["newest"]["error"] == "QdrantUnavailable",
            "the document says what it waits for",
            PATIENCE_S,
        )
        assert reader.read(waiting)["newest"]["state"] == "indexing"
        refused = reader.search(before.marker, "semantic")
        assert refused.status_code == 503
        assert refused.json()["error"] == "SemanticSearchUnavailable"
        for mode in ("keyword", "hybrid"):
            answer = reader.search(before.marker, mode).json()
            assert {hit["name"] for hit in answer["hits"]} == {before.name}
            assert answer["mode"] == "keyword"
            assert answer["degraded"]
    finally:
        stack.container("qdrant").start()
    require_all_ready(stack, reader, 2)
    check(stack)
    assert reader.finds(during)
    assert reader.read(waiting)["newest"]["error"] is None


def test_after_the_loss_of_qdrants_volume_a_reindex_finds_everything_again(
    stack: Stack, reader: Reader
) -> None:
    written = papers.papers(5)
    for paper in written:
        reader.upload(paper)
    require_all_ready(stack, reader, len(written))
    vectors = count(stack, "knowledge_embeddings")
    stack.compose("rm", "--stop", "--force", "qdrant")
    stack.engine.volumes.get(f"{stack.project}_qdrant").remove()
    stack.up()
    late = papers.papers(1)[0]
    waiting = reader.upload(late)
    stack.wait(
        lambda: reader.read(waiting)["newest"]["error"] == "IndexLost",
        "the worker doesn't begin an empty index",
        PATIENCE_S,
    )
    assert "mindgraph reindex" in reader.search(late.marker, "semantic").json()["detail"]
    done = stack.run_in("app", "mindgraph", "reindex")
    assert done.returncode == 0, done.stderr
    assert [paper.name for paper in written if not reader.finds(paper)] == []
    require_all_ready(stack, reader, len(written) + 1)
    check(stack)
    # Only what came later was embedded.
    assert count(stack, "knowledge_embeddings") == vectors + count_chunks(stack, waiting)


def test_a_restored_older_database_and_qdrant_are_brought_together(
    stack: Stack, reader: Reader
) -> None:
    kept, deleted, late = papers.papers(3)
    reader.upload(kept)
    gone = reader.upload(deleted)
    require_all_ready(stack, reader, 2)
    dump(stack)
    reader.upload(late)
    reader.delete(gone)
    require_all_ready(stack, reader, 2)
    stack.wait(lambda: count(stack, "knowledge_removals") == 0, "its points are deleted")
    restore(stack)
    assert {one["name"] for one in reader.documents()} == {kept.name, deleted.name}
    # Chunks without points, points without chunks, versions without files, files without versions.
    assert [one["found"] for one in checked(stack, 1)["differences"]] == [
        count_chunks(stack, gone),
        1,
        1,
        1,
    ]
    # A file can't be made from nothing.
    mended = checked(stack, 1, "--fix")["differences"]
    assert [one["found"] - one["fixed"] for one in mended] == [0, 0, 1, 0]
    assert reader.finds(kept)
    assert reader.finds(deleted)
    assert reader.finds_nothing(late)
    assert reader.upload(deleted) == gone
    check(stack)


class Uploading(threading.Thread):
    """Uploads one after the other, not much faster than they get ready, and deletes some again,
    until told that it is enough."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader
        self.written: list[Paper] = []
        self.enough = threading.Event()
        self.ready = 0

    def run(self) -> None:
        for number in itertools.count():
            if self.enough.is_set() and number >= PAPERS:
                return
            paper = Paper(number)
            document_id = self.reader.upload(paper)
            if number % 10 == 9:
                self.reader.delete(document_id)
            else:
                self.written.append(paper)
            while len(self.written) - self.ready > AHEAD and not self.enough.wait(0.1):
                pass

    def has_come_beyond(self, ready: int) -> bool:
        self.ready = self.reader.count("ready")
        return self.ready > ready


def victim(stack: Stack, service: str, chance: random.Random) -> int:
    """The first process of a service that runs, or the one that it looks after."""
    stack.wait(lambda: stack.container(service).top()["Processes"], f"{service} runs")
    return chance.choice(VICTIMS)(stack.container(service))


def require_all_ready(stack: Stack, reader: Reader, number: int) -> None:
    stack.wait(lambda: reader.states() == {"ready"}, "every document is ready", PATIENCE_S)
    assert len(reader.documents()) == number


def redis(stack: Stack, *command: str) -> None:
    password = stack.env["REDIS_PASSWORD"]
    done = stack.run_in("redis", "redis-cli", *command, REDISCLI_AUTH=password)
    assert done.stdout.strip() in ("OK", "0", "1"), done.stdout + done.stderr


def check(stack: Stack) -> None:
    """Documents, files and Qdrant are at one."""
    report = checked(stack, 0)
    assert [one["found"] for one in report["differences"]] == [0, 0, 0, 0], report
    assert report["chunks"] == report["points"] == count(stack, "knowledge_chunks")


def checked(stack: Stack, code: int, *options: str) -> dict[str, Any]:
    done = stack.run_in("app", "mindgraph", "knowledge", "check", "--json", *options)
    assert done.returncode == code, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def count(stack: Stack, table: str) -> int:
    return int(stack.sql("mindgraph_readonly", f"SELECT count(*) FROM {table}"))


def count_chunks(stack: Stack, document_id: str) -> int:
    versions = f"SELECT id FROM knowledge_versions WHERE document_id = '{document_id}'"
    return count(stack, f"knowledge_chunks WHERE version_id IN ({versions})")


def dump(stack: Stack) -> None:
    command = "pg_dump --username postgres --format custom --file /tmp/dump mindgraph"
    done = stack.run_in("postgres", *command.split())
    assert done.returncode == 0, done.stderr


def restore(stack: Stack) -> None:
    for service in ("app", "worker"):
        stack.container(service).stop()
    command = (
        "pg_restore --username postgres --dbname mindgraph --clean --if-exists"
        " --single-transaction --exit-on-error /tmp/dump"
    )
    done = stack.run_in("postgres", *command.split())
    assert done.returncode == 0, done.stderr
    for service in ("app", "worker"):
        stack.container(service).start()
    stack.wait(stack.is_well, "all is well", PATIENCE_S)
