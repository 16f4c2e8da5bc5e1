"""A worker that dies between any two steps leaves nothing that the next one doesn't put right."""

import itertools
from collections.abc import Iterator

import pytest

from app.db.session import Database
from app.settings import Settings
from tests import ingesting
from tests.ingesting import Action, Ingester, long_text
from tests.openai_server import OpenAIServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as made:
        yield made


@pytest.fixture
def embedded(settings: Settings, server: OpenAIServer) -> Settings:
    """With vectors that cost nothing."""
    embedder = {"embedder": "openai", "embedder_url": server.url, "embedder_model": "hashed"}
    return Settings.model_validate(settings.model_dump(exclude_unset=True) | embedder)


@pytest.fixture
def ingester(embedded: Settings) -> Iterator[Ingester]:
    with ingesting.running(embedded) as made:
        made.carry_out(("prepare",))
        try:
            yield made
        finally:
            made.carry_out(("tidy",))


def story(name: str, number: int) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """What is there before, and what is done then: again, it goes on."""
    document = f"{name}{number}.md"
    text, other = long_text(document), long_text(f"other{document}", 2)
    there = (("add", document, text), ("work",))
    stories: dict[str, tuple[tuple[Action, ...], tuple[Action, ...]]] = {
        "ingest": ((), there),
        "replace": (there, (("replace", document, other), ("work",))),
        "overtake": (
            (("add", document, text),),
            (("replace", document, other), ("work",)),
        ),
        "delete": (there, (("delete", document), ("work",))),
        "cancel": ((("add", document, text),), (("stop", document), ("work",))),
        "reindex": (there, (("reindex",), ("work",))),
    }
    return stories[name]


STEPS = {"ingest": 10, "replace": 10, "overtake": 12, "delete": 3, "cancel": 3, "reindex": 8}


@pytest.mark.parametrize("name", STEPS)
def test_whoever_dies_between_two_steps_leaves_what_the_next_one_finishes(
    ingester: Ingester, database: Database, name: str
) -> None:
    for point in itertools.count(1):
        before, actions = story(name, point)
        died = ingester.kill(point, *actions, before=before)
        ingesting.let_time_pass(database)
        report = ingester.check(*actions, ("clean",))
        assert [one["found"] for one in report["differences"]] == [0, 0, 0, 0], (point, report)
        assert report["points"] == report["chunks"], (point, report)
        if not died:
            break
    assert point > STEPS[name]
