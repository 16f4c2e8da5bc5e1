"""What a restore makes of a snapshot of the search index, and of a database of another moment."""

import dataclasses
import json

import pytest
from host.backups import choosing, manifest
from host.backups.manifest import Database, Manifest, Part, Point, Vectors
from host.restores import vectors
from host.restores.vectors import Index

WHOLE = Manifest(
    "20261128T081500Z",
    "mindgraph",
    "app",
    Database("label", "full", "17", "1", "", "", 1, 1),
    Point("point", "0/1", ""),
    {},
    {"vectors": Part("abc", 10, 1, "0" * 64)},
    Vectors("chunks_1", "e5", 384, 2),
)
INDEX = vectors.read_index(["index|chunks_2|384|e5", "document|one|2|4", "document|two|1|7"])


def test_what_a_database_says_of_its_index_is_read() -> None:
    assert Index("chunks_2", 384, "e5", {"one": (2, 4), "two": (1, 7)}) == INDEX
    assert vectors.read_index([]) == Index()


def test_the_points_of_each_document_are_counted_and_summed() -> None:
    def page(name: str) -> str:
        point = {"id": name, "payload": {"document_id": "one"}}
        return json.dumps({"result": {"points": [point], "next_page_offset": None}})

    # Of an id the first 15 digits count.
    pages = [
        page("00000000-0000-0010-ffff-ffffffffffff"),
        page("00000000-0000-0030-0000-000000000000"),
    ]
    assert vectors.counted("\n".join(pages)) == {"one": (2, 1 + 3)}


def test_documents_that_differ_are_told() -> None:
    same, said = vectors.compare(INDEX, {"one": (2, 5), "three": (1, 1)})
    assert same == 0
    assert said == [
        "document one has vectors of other passages",
        "document three has 1 vectors instead of 0",
        "document two has 0 vectors instead of 1",
    ]
    assert vectors.compare(INDEX, INDEX.documents) == (2, [])


@pytest.mark.parametrize(
    ("index", "vectors_made", "reason"),
    [
        (INDEX, WHOLE.vectors, ""),
        (Index(), WHOLE.vectors, "the database has none"),
        (INDEX, Vectors("chunks_1", "other", 384, 2), "the snapshot is of other"),
        (INDEX, Vectors("chunks_1", "e5", 768, 2), "the snapshot is of e5"),
        (INDEX, Vectors(reason="Qdrant refuses"), "Qdrant refuses"),
    ],
)
def test_a_snapshot_that_does_not_fit_has_a_reason(
    index: Index, vectors_made: Vectors, reason: str
) -> None:
    target = choosing.to_backup(dataclasses.replace(WHOLE, vectors=vectors_made))
    said = vectors.unfit(target, index)
    assert (reason in said) if reason else (said == "")


def test_a_manifest_from_before_snapshots_is_read() -> None:
    old = json.loads(WHOLE.text())
    del old["vectors"]
    assert manifest.read(json.dumps(old)).vectors.reason
    assert manifest.read(WHOLE.text()) == WHOLE
