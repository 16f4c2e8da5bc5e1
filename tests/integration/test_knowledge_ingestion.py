"""From a file to what a search finds: with PostgreSQL and the Qdrant server, with SQLite and the
engine in this process."""

from collections.abc import Iterator

import pytest

from app.knowledge import consistency, search
from app.knowledge.schemas import Mode
from app.knowledge.search import Wanted
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.documents import BACKUPS, NOVEL, PHOTOSYNTHESIS, WATER
from tests.people import ALICE, BOB


@pytest.fixture
def tools(settings: Settings) -> Iterator[Tools]:
    with documents.tools(settings) as made:
        yield made


def found(tools: Tools, user_id: int, text: str, mode: Mode = "hybrid") -> list[str]:
    hits = search.search(documents.searcher(tools), Wanted(user_id, text, mode)).hits
    return [one.name for one in hits]


def test_a_document_is_found_by_meaning_and_by_words_in_both_languages(tools: Tools) -> None:
    for user_id, name, content in (
        (ALICE.id, "water.md", WATER),
        (ALICE.id, "novel.md", NOVEL),
        (BOB.id, "plants.md", PHOTOSYNTHESIS),
        (BOB.id, "backups.md", BACKUPS),
    ):
        documents.add(tools, user_id, content, name)
    documents.work(tools)
    modes: tuple[Mode, ...] = ("semantic", "hybrid")
    for mode in modes:
        assert found(tools, ALICE.id, "How does rain come about?", mode)[0] == "water.md"
        assert found(tools, BOB.id, "植物怎样利用阳光", mode)[0] == "plants.md"
    assert found(tools, ALICE.id, "蒸发", "keyword") == ["water.md"]
    assert found(tools, BOB.id, "chlorophyll", "keyword") == ["plants.md"]
    assert consistency.check(tools, fix=False).is_clean
