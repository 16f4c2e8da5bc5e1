"""The search index in backups: a snapshot of Qdrant's comes back, and fits another moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.chaos.papers import Paper, Reader, papers

from . import backups
from .stacks import PRODUCTION, Stack, running

NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
# Else nobody could register without a look at a picture.
OPEN = {"CAPTCHA_ENABLED": "false", "ENVIRONMENT": "development"}
SERVING = "SELECT collection FROM knowledge_indexes WHERE state = 'active'"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(*PRODUCTION, settings=OPEN) as stack:
        yield stack


@pytest.fixture(scope="module")
def reader(stack: Stack) -> Iterator[Reader]:
    with closing(Reader(stack.url, stack.verify)) as reader:
        yield reader


def add(stack: Stack, reader: Reader, *some: Paper) -> None:
    for paper in some:
        reader.upload(paper)
    stack.wait(lambda: reader.states() == {"ready"}, "all documents are ready")


def newest(stack: Stack) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(backups.succeed(stack, "backups", "--json"))
    return found[-1]


def snapshots(stack: Stack) -> list[str]:
    found = stack.run_in("app", "mindgraph", "vectors", "snapshots")
    assert found.returncode == 0, found.stderr
    names: list[str] = json.loads(found.stdout)["names"]
    return names


def passages(stack: Stack) -> int:
    return int(stack.sql_inside("SELECT count(*) FROM knowledge_chunks"))


def compare_in_rehearsal(stack: Stack, documents: int) -> None:
    report = json.loads(backups.succeed(stack, "rehearse-restore", "--json"))
    assert report["reason"] == ""
    assert report["differing"] == []
    assert (report["vectors"], report["documents"]) == (passages(stack), documents)
    metrics = stack.run_in("app", "cat", "/var/lib/mindgraph-reports/rehearsal.prom").stdout
    assert f"mindgraph_rehearsal_vectors {passages(stack)}\n" in metrics


def test_a_restore_brings_the_index_back_and_lets_it_fit_another_moment(
    stack: Stack, reader: Reader
) -> None:
    kept, gone, late, later = papers(4)
    add(stack, reader, kept, gone)
    backups.succeed(stack, "backup")
    made = newest(stack)
    assert made["vectors"]["reason"] == ""
    assert made["vectors"]["points"] == passages(stack)
    assert len(made["parts"]["vectors"]["sha256"]) == 64
    assert snapshots(stack) == []
    compare_in_rehearsal(stack, len(reader.documents()))
    reader.delete(reader.ids[gone.name])
    add(stack, reader, late)
    time, wanted = stack.sql_inside(NOW), passages(stack)
    add(stack, reader, later)
    said = backups.succeed(stack, "restore", "--to", time)
    assert "search index: " in said
    # A new one would have another name.
    assert stack.sql_inside(SERVING) == made["vectors"]["collection"]
    assert passages(stack) == wanted
    assert reader.finds(kept)
    assert reader.finds(late)
    assert reader.finds_nothing(gone)
    assert reader.finds_nothing(later)
    checked = stack.run_in("app", "mindgraph", "knowledge", "check").stdout
    assert "0 chunks without a point\n0 points without a chunk\n" in checked


def test_a_backup_without_a_file_that_the_database_names_does_not_pass_for_a_whole_one(
    stack: Stack,
) -> None:
    file = stack.sql_inside("SELECT sha256 FROM knowledge_versions LIMIT 1")
    place = f"/var/lib/mindgraph/files/{file[:2]}/{file[2:4]}/{file}"
    # Under another name it is no file of the service's.
    assert stack.run_in("app", "mv", place, f"{place}.hidden").returncode == 0
    backups.succeed(stack, "backup")
    done = backups.mindgraph(stack, "rehearse-restore", "--json")
    assert stack.run_in("app", "mv", f"{place}.hidden", place).returncode == 0
    assert done.returncode == 1
    assert f"not in the backup, as {file}" in json.loads(done.stdout)["reason"]


def test_without_a_snapshot_the_index_is_made_anew_and_it_says_so(
    stack: Stack, reader: Reader
) -> None:
    stack.compose("stop", "qdrant")
    done = backups.mindgraph(stack, "backup")
    assert done.returncode == 0, done.stderr
    assert "no snapshot of the search index" in done.stderr
    assert "Qdrant" in newest(stack)["vectors"]["reason"]
    stack.compose("start", "qdrant")
    restored = backups.mindgraph(stack, "restore")
    assert restored.returncode == 0, restored.stderr
    assert "the search index is made anew of all documents" in restored.stderr
    (found,) = [one for one in reader.documents() if one["name"].endswith(".md")]
    assert reader.search(found["name"][:-3], "keyword").json()["hits"]
