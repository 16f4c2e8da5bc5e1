"""Hostile and broken files through the whole of the ingestion: each ends with what it is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.knowledge import consistency, states
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents, hostile
from tests.databases import on_postgresql
from tests.documents import WATER
from tests.people import ALICE, BOB


@pytest.fixture
def tools(settings: Settings) -> Iterator[Tools]:
    limits = hostile.LIMITS
    strict = settings.model_copy(
        update={
            "extraction_memory_mb": limits.memory_mb,
            "extraction_timeout_s": int(limits.seconds),
            "extraction_unpacked_limit_mb": limits.unpacked_mb,
            "knowledge_character_limit": limits.characters,
            "knowledge_page_limit": limits.pages,
        }
    )
    with documents.tools(strict) as made:
        yield made


@on_postgresql
def test_no_hostile_file_stops_the_worker_or_goes_without_a_message(
    tools: Tools, tmp_path: Path
) -> None:
    files = hostile.make(tmp_path)
    refused = {name: error for name, error in hostile.EXPECTED.items() if error}
    made = {
        name: documents.add(tools, ALICE.id, files[name].read_bytes(), name) for name in refused
    }
    # One of somebody else's, who has done nothing wrong.
    good = documents.add(tools, BOB.id, WATER)
    documents.work(tools)
    for name, document in made.items():
        version = documents.read(tools, ALICE.id, document.id).newest
        assert (name, version.state, version.error) == (name, states.FAILED, refused[name])
        assert version.problem
    assert documents.read(tools, BOB.id, good.id).newest.state == states.READY
    assert consistency.check(tools, fix=False).is_clean
