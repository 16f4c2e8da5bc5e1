"""A worker that dies between any two steps leaves nothing that the next one doesn't put right."""

import itertools
from collections.abc import Iterator

import pytest

from app.db.session import Database
from app.settings import Settings
from tests import documents, ingesting
from tests.documents import long_text
from tests.ingesting import Action, Ingester


@pytest.fixture
def ingester(hashed: Settings) -> Iterator[Ingester]:
    with ingesting.running(hashed) as made:
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
        # Each time of the same, so that it comes to an end.
        "reindex": (there if number == 1 else (), (("reindex", f"model{number}"), ("work",))),
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
        documents.let_time_pass(database)
        report = ingester.check(*actions, ("clean",), ("mend",))
        assert [one["found"] for one in report["differences"]] == [0, 0, 0, 0], (point, report)
        assert report["points"] == report["chunks"], (point, report)
        if not died:
            break
    assert point > STEPS[name]
