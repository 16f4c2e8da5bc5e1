"""The check finds each difference that can be, mends what can be, and takes nothing for one that is
only on its way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import models

from app.knowledge import consistency, indexes
from app.knowledge.consistency import Report
from app.knowledge.files import Files
from app.knowledge.tools import Tools
from app.vectors import points, sparse
from app.vectors.points import CollectionMissing, Point
from tests import documents
from tests.documents import long_text
from tests.interruptions import Interruption
from tests.openai_server import DIMENSION
from tests.people import ALICE

CLEAN = [0, 0, 0, 0]


def found(report: Report) -> list[int]:
    return [one.found for one in report.differences]


def fixed(report: Report) -> list[int]:
    return [one.fixed for one in report.differences]


def put_superfluous_points(tools: Tools, count: int = 3) -> None:
    """Of a version that nobody knows, as an older state of the database leaves them."""
    collection = indexes.require_active(tools.database).collection
    version_id = str(uuid4())
    made = [
        Point(
            uuid4(),
            ALICE.id,
            str(uuid4()),
            version_id,
            np.ones(DIMENSION, np.float32),
            sparse.of_passage("superfluous"),
        )
        for _ in range(count)
    ]
    points.upsert(tools.qdrant, collection, made)


def test_points_without_chunks_are_found_and_deleted(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, long_text("kept"))
    documents.work(hashed_tools)
    put_superfluous_points(hashed_tools)
    report = consistency.check(hashed_tools, fix=False)
    assert found(report) == [0, 3, 0, 0]
    assert len(report.differences[1].examples) == 3
    assert not report.is_clean
    report = consistency.check(hashed_tools, fix=True)
    assert (found(report), fixed(report)) == ([0, 3, 0, 0], [0, 3, 0, 0])
    assert report.is_clean
    assert found(consistency.check(hashed_tools, fix=False)) == CLEAN


def test_chunks_without_points_are_found_and_written_from_what_is_kept(
    hashed_tools: Tools,
) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("lost"))
    documents.work(hashed_tools)
    chunks = documents.read(hashed_tools, ALICE.id, document.id).newest.chunks
    collection = indexes.require_active(hashed_tools.database).collection
    hashed_tools.qdrant.delete(collection, models.Filter(), wait=True)
    report = consistency.check(hashed_tools, fix=False)
    assert found(report) == [chunks, 0, 0, 0]
    assert report.differences[0].examples[0].startswith(f"{document.id} chunk ")
    report = consistency.check(hashed_tools, fix=True)
    assert fixed(report) == [chunks, 0, 0, 0]
    report = consistency.check(hashed_tools, fix=False)
    assert (found(report), report.points) == (CLEAN, chunks)


def test_files_without_a_version_are_found_and_deleted(hashed_tools: Tools) -> None:
    kept = documents.add(hashed_tools, ALICE.id, "Kept")
    with hashed_tools.files.receiving() as incoming:
        incoming.write(b"Superfluous")
        with hashed_tools.files.keeping(incoming):
            pass
    assert found(consistency.check(hashed_tools, fix=False)) == [0, 0, 0, 1]
    assert hashed_tools.files.exists(incoming.sha256)
    assert fixed(consistency.check(hashed_tools, fix=True)) == [0, 0, 0, 1]
    assert not hashed_tools.files.exists(incoming.sha256)
    assert hashed_tools.files.exists(kept.newest.sha256)
    assert found(consistency.check(hashed_tools, fix=False)) == CLEAN


@pytest.mark.parametrize("left", [None, b"", b"Los", b"Lost, and more"])
def test_versions_without_their_whole_file_are_found_and_stay_until_it_is_there_again(
    hashed_tools: Tools, left: bytes | None
) -> None:
    document = documents.add(hashed_tools, ALICE.id, "Lost")
    documents.work(hashed_tools)
    path = hashed_tools.files.path(document.newest.sha256)
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    for fix in (False, True):
        report = consistency.check(hashed_tools, fix=fix)
        assert (found(report), fixed(report)) == ([0, 0, 1, 0], CLEAN)
        assert report.differences[2].examples == [document.newest.sha256]
        assert not report.is_clean
    documents.add(hashed_tools, ALICE.id, "Lost")
    assert path.read_bytes() == b"Lost"
    assert found(consistency.check(hashed_tools, fix=False)) == CLEAN


def test_an_upload_on_its_way_is_no_difference(tmp_path: Path) -> None:
    """Its file is in its place, and the row that needs it is committed in the next moment."""
    files = Files(tmp_path)
    committed: list[str] = []
    looked = threading.Event()

    def needed(_: object) -> list[str]:
        found = [*committed]
        looked.set()
        return found

    with files.receiving() as incoming, ThreadPoolExecutor() as threads:
        incoming.write(b"New")
        with files.keeping(incoming):
            checking = threads.submit(files.list_unneeded, [incoming.sha256], needed)
            assert looked.wait(60)
            committed.append(incoming.sha256)
        assert checking.result() == []


def test_points_that_are_deleted_during_the_check_are_no_difference(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("doomed"))
    documents.work(hashed_tools)
    scroll = hashed_tools.qdrant.scroll

    def scroll_and_delete(*args: Any, **kwargs: Any) -> Any:
        page = scroll(*args, **kwargs)
        documents.delete(hashed_tools, ALICE.id, document.id)
        documents.work(hashed_tools)
        return page

    monkeypatch.setattr(hashed_tools.qdrant, "scroll", scroll_and_delete)
    report = consistency.check(hashed_tools, fix=False)
    assert (found(report), report.points > 0) == (CLEAN, True)


def test_what_is_deleted_while_its_points_are_mended_leaves_none(hashed_tools: Tools) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("doomed"))
    documents.work(hashed_tools)
    collection = indexes.require_active(hashed_tools.database).collection
    hashed_tools.qdrant.delete(collection, models.Filter(), wait=True)

    def delete() -> None:
        documents.delete(hashed_tools, ALICE.id, document.id)
        documents.work(hashed_tools)

    deletion = Interruption(1, delete, ahead=True)
    with deletion.expected(hashed_tools):
        consistency.check(hashed_tools, fix=True)
    assert deletion.came
    report = consistency.check(hashed_tools, fix=False)
    assert (found(report), report.points) == (CLEAN, 0)


def test_versions_on_their_way_are_no_difference(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, long_text("queued"))
    assert found(consistency.check(hashed_tools, fix=False)) == CLEAN


def test_what_waits_to_be_deleted_is_no_difference(hashed_tools: Tools) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("doomed"))
    documents.work(hashed_tools)
    documents.delete(hashed_tools, ALICE.id, document.id)
    report = consistency.check(hashed_tools, fix=False)
    assert (found(report), report.points > 0) == (CLEAN, True)


def test_without_a_collection_the_check_says_what_helps(hashed_tools: Tools) -> None:
    documents.delete_collections(hashed_tools)
    with pytest.raises(CollectionMissing, match="mindgraph reindex"):
        consistency.check(hashed_tools, fix=True)
