"""An import that is killed at any moment goes on, and ends as one that nobody disturbed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.ops.migrate import connections, importing
from app.ops.migrate.progress import Silence
from tests.chaos import importer, imports
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
        require_same(ending, world.ending, done.said)


def require_same(ending: Ending, wanted: Ending, said: str) -> None:
    more = ending.reasons() - wanted.reasons()
    # In words of its own: the whole of it is what tells the cause.
    assert not more, f"{more}\ninstead of {wanted.reasons() - ending.reasons()}\n{said}"
    assert ending == wanted


def check_code(done: imports.Running) -> None:
    assert done.code in (-9, 1, 3), (done.code, done.said)
    if done.code == 1:
        # One sentence that says what happened. The driver itself may have warned before.
        assert "Traceback" not in done.said, done.said
        assert any(way in done.said.splitlines()[-1] for way in ("--resume", "--restart"))


# Each phase once, and those that end sessions twice: they found more.
@pytest.mark.parametrize("seed", range(len(PHASES)))
def test_whoever_kills_the_tool_or_its_processes_loses_nothing(
    seed: int, world: World, tmp_path: Path
) -> None:
    play(seed, (imports.kill_main, imports.kill_worker), world, tmp_path)


@pytest.mark.parametrize("seed", range(100, 116))
def test_whoever_ends_a_session_or_crashes_the_server_loses_nothing(
    seed: int, world: World, tmp_path: Path
) -> None:
    accidents = (imports.end_session, imports.end_session, imports.crash_session)
    play(seed, accidents, world, tmp_path)


class CrashAfterTheLastRow(Silence):
    """Crashes the server when all rows are loaded, and waits until it takes connections again."""

    def __init__(self, case: imports.Case) -> None:
        self.case = case
        self.left = 0

    def phase(self, name: str, total: int = 0, _unit: str = "") -> None:
        self.left = total if name == "loading" else 0

    def advance(self, count: int) -> None:
        if self.left:
            self.left -= count
            if not self.left:
                imports.crash(self.case, self.case.sessions()[0])
                self.case.server.wait()


def test_a_crash_just_after_the_last_row_is_noticed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes back what it had committed last, and takes new connections at once."""
    monkeypatch.setattr(importing, "PART_ROWS", 150)
    with (
        imports.case(world.server, world.starter, tmp_path, JOURNALS[0]) as case,
        slow_log_writer(case),
    ):
        options = importer.options(json.loads(case.options("new")))
        with pytest.raises(connections.ConnectionLost):
            importing.run(options, CrashAfterTheLastRow(case))
        done = imports.finish(case, "resume")
        assert done.code == 3, done.said
        require_same(case.ending(), world.ending, done.said)


@contextmanager
def slow_log_writer(case: imports.Case) -> Iterator[None]:
    """What is committed without waiting stays in memory for long."""
    case.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    case.query("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        case.query("ALTER SYSTEM RESET wal_writer_delay")
        case.query("SELECT pg_reload_conf()")


@pytest.mark.parametrize("seed", range(200, 205))
def test_a_server_that_loses_its_power_has_what_it_said_it_has(
    seed: int, world: World, tmp_path: Path
) -> None:
    play(seed, (imports.crash_server,), world, tmp_path)
