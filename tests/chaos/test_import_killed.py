"""An import that is killed at any moment goes on, and ends as one that nobody disturbed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import imports
from tests.chaos.endings import Ending
from tests.chaos.imports import Accident, Starter
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
class World:
    """How an import ends that nobody disturbs, and how many seconds its phases take."""

    server: Crashing
    starter: Starter
    ending: Ending
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    made = Starter(tmp_path_factory.mktemp("starter"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, starter: Starter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with request.config.stash[RUN].postgres() as server:
        imports.prepare(server)
        with imports.case(server, starter, folder, "wal") as case:
            done = imports.finish(case)
            assert done.code == 3, done.said
            ends = [*PHASES[1:], "over"]
            seconds = {
                name: done.began[after] - done.began[name]
                for name, after in zip(PHASES, ends, strict=True)
            }
            ending = case.ending()
        yield World(server, starter, ending, seconds)


def play(seed: int, accidents: tuple[Accident, ...], world: World, folder: Path) -> None:
    """One to three accidents, then to the end."""
    chance = random.Random(seed)
    worth = chance.choice([0, 20_000, 20_000, 20_000])
    server, starter = world.server, world.starter
    with imports.case(server, starter, folder, JOURNALS[seed % 2], worth_processes=worth) as case:
        begin = "new"
        # The first accidents are spread over all phases, the others come as they may.
        phase = PHASES[seed % len(PHASES)]
        for _ in range(chance.choice([1, 1, 2, 3])):
            moment = (phase, chance.uniform(0, 1.1) * world.seconds[phase])
            done = imports.disturbed(case, begin, chance.choice(accidents), moment, chance)
            check_code(done)
            phase = chance.choice(PHASES)
            begin = "resume"
            if case.is_unfinished():
                begin = chance.choice(["resume", "resume", "restart"])
        done = imports.finish(case, begin)
        if "begin anew by --restart" in done.said:
            # Who began anew has written over the snapshot that the one before would need.
            done = imports.finish(case, "restart")
        assert done.code == 3, done.said
        assert case.leftovers() == set()
        ending = case.ending()
        found, wanted = ending.reasons(), world.ending.reasons()
        # In words of its own: the whole of it is what tells the cause.
        assert found == wanted, f"more: {found - wanted}\nfewer: {wanted - found}\n{done.said}"
        assert ending == world.ending


def check_code(done: imports.Running) -> None:
    assert done.code in (-9, 1, 3), (done.code, done.said)
    if done.code == 1:
        # One sentence that says what happened. The driver itself may have warned before.
        assert "Traceback" not in done.said, done.said
        assert any(way in done.said.splitlines()[-1] for way in ("--resume", "--restart"))


@pytest.mark.parametrize("seed", range(24))
def test_whoever_kills_the_tool_or_its_processes_loses_nothing(
    seed: int, world: World, tmp_path: Path
) -> None:
    play(seed, (imports.kill_main, imports.kill_worker), world, tmp_path)


@pytest.mark.parametrize("seed", range(100, 124))
def test_whoever_ends_a_session_or_crashes_the_server_loses_nothing(
    seed: int, world: World, tmp_path: Path
) -> None:
    accidents = (imports.end_session, imports.end_session, imports.crash_session)
    play(seed, accidents, world, tmp_path)


@pytest.mark.parametrize("seed", range(200, 207))
def test_a_server_that_loses_its_power_has_what_it_said_it_has(
    seed: int, world: World, tmp_path: Path
) -> None:
    play(seed, (imports.crash_server,), world, tmp_path)
