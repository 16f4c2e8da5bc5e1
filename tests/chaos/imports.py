"""Imports as programs of their own, and the accidents that end them."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import psutil
from psycopg2 import sql

from app.ops.migrate import connections
from tests import commands, databases, sources
from tests.chaos import endings, old_school
from tests.chaos.endings import Ending
from tests.places import CHECKOUT
from tests.servers import Crashing

PATIENCE_S = 300.0
TEMPLATE = "template_school"
SESSIONS = """
SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'mindgraph-import'
"""
UNFINISHED = """
SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'legacy' AND tablename = 'import_state')
"""


@dataclass(frozen=True)
class Case:
    """A file, and the database that it goes to."""

    server: Crashing
    starter: Starter
    database: str
    file: Path
    on_bad_row: str = "quarantine"
    is_dry_run: bool = False
    jobs: int = 2
    part_rows: int = 150
    worth_processes: int = 20_000

    @property
    def dsn(self) -> str:
        return connections.dsn(databases.settings_of(self.server.servers, self.database))

    def options(self, begin: str) -> str:
        return json.dumps(
            {
                "begin": begin,
                "dsn": self.dsn,
                "is_dry_run": self.is_dry_run,
                "jobs": self.jobs,
                "on_bad_row": self.on_bad_row,
                "part_rows": self.part_rows,
                "source": str(self.file),
                "worth_processes": self.worth_processes,
            }
        )

    def sessions(self) -> list[int]:
        return [int(pid) for (pid,) in self.query(SESSIONS, self.database)]

    def is_unfinished(self) -> bool:
        return self.query(UNFINISHED) == [(True,)]

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """As the superuser."""
        with (
            databases.superuser(self.server.servers, self.database) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def ending(self) -> Ending:
        return endings.of(self.server, self.database)

    def leftovers(self) -> set[str]:
        """What is beside the file now, other than its own journal."""
        own = {self.file.name, f"{self.file.name}-wal", f"{self.file.name}-shm"}
        return {one.name for one in self.file.parent.iterdir()} - own


class Starter:
    """The process that makes those of the imports."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "starter")
        code = f"from tests.chaos import importer; importer.serve({self.address!r})"
        self.process = subprocess.Popen(
            # Not as a module: each process of an import would load it again.
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            env={name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ},
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


class Running:
    """An import under way."""

    def __init__(self, case: Case, begin: str) -> None:
        self.case = case
        self._asked = socket.socket(socket.AF_UNIX)
        self._asked.connect(case.starter.address)
        self._asked.settimeout(PATIENCE_S)
        pipes = [os.pipe(), os.pipe()]
        socket.send_fds(self._asked, [case.options(begin).encode()], [one for _, one in pipes])
        for _, one in pipes:
            os.close(one)
        self._answers = self._asked.makefile()
        self.pid = int(self._answers.readline())
        self.began: dict[str, float] = {}
        self.lines: list[str] = []
        self.code = 0
        self.said = ""
        self._changed = threading.Condition()
        self._over = False
        self._threads = [
            threading.Thread(target=listen, args=(os.fdopen(pipe),))
            for listen, (pipe, _) in zip((self._listen, self._listen_to_errors), pipes, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_over(self) -> bool:
        return self._answers.closed

    def wait_for(self, phase: str) -> None:
        """Until it begins, or the import is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or phase in self.began, PATIENCE_S)

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        # Its pid isn't given to another while who made it doesn't know of its end.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Waits until it is over, and all that it has said is read."""
        if self._answers.closed:
            return
        self.code = int(self._answers.readline())
        self._answers.close()
        self._asked.close()
        for thread in self._threads:
            thread.join()

    def _listen(self, stream: TextIO) -> None:
        for line in stream:
            word, _, rest = line.rstrip("\n").partition(" ")
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                if word == "phase":
                    self.began[rest] = time.monotonic()
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self.began["over"] = time.monotonic()
            self._over = True
            self._changed.notify_all()

    def _listen_to_errors(self, stream: TextIO) -> None:
        self.said = stream.read()
        stream.close()


@contextmanager
def running(case: Case, begin: str = "new") -> Iterator[Running]:
    """Gone with all that it started after the block, whatever happens in it."""
    made = Running(case, begin)
    try:
        yield made
    finally:
        if not made.is_over:
            for one in made.children():
                one.kill()
            made.kill()
        made.end()


def finish(case: Case, begin: str = "new") -> Running:
    """Runs it to its end."""
    with running(case, begin) as made:
        made.end()
    return made


def prepare(server: Crashing) -> None:
    """Makes the database that those of the cases are copies of."""
    with databases.superuser(server.servers) as connection, connection.cursor() as cursor:
        databases.copy(cursor, "mindgraph", TEMPLATE)
    with (
        databases.superuser(server.servers, TEMPLATE) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET ROLE mindgraph_owner")
        cursor.execute(old_school.TARGET)


@contextmanager
def case(
    server: Crashing, starter: Starter, folder: Path, journal: str, **changes: Any
) -> Iterator[Case]:
    """With a database and a folder of its own. The file must be as it was after the block."""
    name = f"school_{random.SystemRandom().randrange(10**9)}"
    place = folder / name
    place.mkdir()
    file = old_school.make(place / "old.db", journal=journal)
    with databases.superuser(server.servers) as connection, connection.cursor() as cursor:
        databases.copy(cursor, TEMPLATE, name)
    before = sources.state(place)
    try:
        yield replace(Case(server, starter, name, file), **changes)
        assert content(place) == {name: raw for name, raw in before.items() if raw}
    finally:
        server.wait()
        with databases.superuser(server.servers) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def content(folder: Path) -> dict[str, bytes]:
    """The file and its journal; an empty journal and the shared index hold nothing of it."""
    return {
        name: raw
        for name, raw in sources.state(folder).items()
        if raw and not name.endswith("-shm")
    }


Accident = Callable[[Running, random.Random], None]


def kill_main(running: Running, _chance: random.Random) -> None:
    running.kill()


def kill_worker(running: Running, chance: random.Random) -> None:
    """One of its processes, other than what only cleans up after them."""
    workers = [one for one in running.children() if "resource_tracker" not in _command(one)]
    if workers:
        chance.choice(workers).kill()


def end_session(running: Running, chance: random.Random) -> None:
    sessions = running.case.sessions()
    if sessions:
        running.case.query("SELECT pg_terminate_backend(%s)", chance.choice(sessions))


def crash_session(running: Running, chance: random.Random) -> None:
    """A process of the server dies. The server takes that for damage, and begins anew by itself."""
    sessions = running.case.sessions()
    if sessions:
        crash(running.case, chance.choice(sessions))


def crash(case: Case, session: int) -> None:
    code, said = case.server.container.exec_run(["bash", "-c", f"kill -9 {session}"])
    assert code == 0 or b"No such process" in said


def crash_server(running: Running, _chance: random.Random) -> None:
    running.case.server.kill()


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def disturbed(
    case: Case, begin: str, accident: Accident, moment: tuple[str, float], chance: random.Random
) -> Running:
    """An import with an accident at a moment: a phase, and how many seconds after its beginning."""
    phase, seconds = moment
    with running(case, begin) as made:
        made.wait_for(phase)
        # The accident may come after the import's end as well.
        time.sleep(seconds)
        children = made.children()
        accident(made, chance)
        made.end()
        commands.wait_until(
            lambda: not any(one.is_running() for one in children), "its processes ended"
        )
        case.server.wait()
    return made
