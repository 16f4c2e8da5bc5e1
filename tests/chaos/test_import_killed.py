"""An import that is killed at any moment goes on, and ends as one that nobody disturbed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import imports
from tests.chaos.endings import Ending
from tests.chaos.imports import Accident
from tests.conftest import RUN
from tests.servers import Crashing

PHASES = (
    "checking the file",
    "planning",
    "loading",
    "indexes and constraints",
    "sequences",
    "statistics",
    "proof",
)
JOURNALS = ("wal", "delete")


@dataclass(frozen=True)
class Undisturbed:
    """How such an import ends, and how many seconds its phases take."""

    ending: Ending
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Crashing]:
    with request.config.stash[RUN].postgres() as made:
        imports.prepare(made)
        yield made


@pytest.fixture(scope="module")
def undisturbed(server: Crashing, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    with imports.case(server, tmp_path_factory.mktemp("undisturbed"), "wal") as case:
        done = imports.finish(case)
        assert done.process.returncode == 3, done.said
        ends = [*PHASES[1:], "over"]
        seconds = {
            name: done.began[after] - done.began[name]
            for name, after in zip(PHASES, ends, strict=True)
        }
        return Undisturbed(case.ending(), seconds)


def play(
    seed: int,
    accidents: tuple[Accident, ...],
    server: Crashing,
    undisturbed: Undisturbed,
    folder: Path,
) -> None:
    """One to three accidents, then to the end."""
    chance = random.Random(seed)
    journal = JOURNALS[seed % 2]
    worth = chance.choice([0, 20_000])
    with imports.case(server, folder, journal, worth_processes=worth) as case:
        begin = "new"
        # The first accidents are spread over all phases, the others come as they may.
        phase = PHASES[seed % len(PHASES)]
        for _ in range(chance.choice([1, 1, 2, 3])):
            moment = (phase, chance.uniform(0, 1.1) * undisturbed.seconds[phase])
            accident = chance.choice(accidents)
            done = imports.disturbed(case, begin, accident, moment, chance)
            check_code(done)
            begin = (
                chance.choice(["resume", "resume", "restart"]) if case.is_unfinished() else "resume"
            )
            phase = chance.choice(PHASES)
        done = imports.finish(case, begin)
        assert done.process.returncode == 3, done.said
        assert case.leftovers() == set()
        assert case.ending() == undisturbed.ending


def check_code(done: imports.Running) -> None:
    code = done.process.returncode
    assert code in (-9, 1, 3), (code, done.said)
    if code == 1:
        # One sentence that says what happened, and no traceback.
        assert done.said.count("\n") == 1, done.said


@pytest.mark.parametrize("seed", range(28))
def test_whoever_kills_the_tool_or_its_processes_loses_nothing(
    seed: int, server: Crashing, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    play(seed, (imports.kill_main, imports.kill_worker), server, undisturbed, tmp_path)


@pytest.mark.parametrize("seed", range(100, 128))
def test_whoever_ends_or_crashes_the_server_loses_nothing(
    seed: int, server: Crashing, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    accidents = (imports.end_session, imports.end_session, imports.crash_session)
    play(seed, accidents, server, undisturbed, tmp_path)


@pytest.mark.parametrize("seed", range(200, 207))
def test_a_server_that_loses_its_power_has_what_it_said_it_has(
    seed: int, server: Crashing, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    play(seed, (imports.crash_server,), server, undisturbed, tmp_path)
