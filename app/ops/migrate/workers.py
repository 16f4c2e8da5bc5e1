"""Processes that load parts side by side, each with its own view of the file and the target."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from types import TracebackType
from typing import Any

from app.errors import Conflict
from app.ops.migrate import connections
from app.ops.migrate.load import Loaded, Loader
from app.ops.migrate.plan import Plan
from app.ops.migrate.rows import Part
from app.ops.migrate.source import fingerprint, opened
from app.ops.migrate.target import Constraint

# Workers that don't end by themselves are ended.
PATIENCE_S = 10.0


class SourceChanged(Conflict):
    """The file changed while the processes opened it."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to know."""

    plan: Plan
    run: str
    checks: dict[str, tuple[Constraint, ...]]
    dsn: str
    search_path: tuple[str, ...]


class Workers:
    """A number of processes that have the file open, all of them in the same state.

    Raises:
        SourceChanged: on entering, when somebody wrote to the file meanwhile.
    """

    def __init__(self, file: Path, expected: str, count: int) -> None:
        self._file = file
        self._expected = expected
        self._context = multiprocessing.get_context("spawn")
        self._count = count
        self._pipes: list[Pipe] = []
        self._processes: list[Any] = []

    def __enter__(self) -> "Workers":
        try:
            for _ in range(self._count):
                self._start()
            for pipe in self._pipes:
                if self._receive(pipe) != self._expected:
                    raise SourceChanged
        except BaseException:
            self.close(at_once=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(at_once=kind is not None)

    def load(self, task: Task, parts: Sequence[Part]) -> Iterator[tuple[Part, Loaded]]:
        """Hands out parts, and yields them in the order in which they are done."""
        waiting = list(reversed(parts))
        busy: dict[Pipe, Part] = {}
        for pipe in self._pipes:
            self._send(pipe, task)
        for pipe in self._pipes:
            self._receive(pipe)
            self._give(pipe, waiting, busy)
        while busy:
            for ready in pipes.wait(list(busy)):
                pipe = next(one for one in busy if one is ready)
                part = busy.pop(pipe)
                done = self._receive(pipe)
                self._give(pipe, waiting, busy)
                yield part, done

    def close(self, *, at_once: bool = False) -> None:
        """Ends the processes; what they are at is not finished when it is to be `at_once`."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(0 if at_once else PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._file), daemon=True)
        process.start()
        theirs.close()
        self._pipes.append(ours)
        self._processes.append(process)

    def _give(self, pipe: Pipe, waiting: list[Part], busy: dict[Pipe, Part]) -> None:
        if waiting:
            part = waiting.pop()
            self._send(pipe, part)
            busy[pipe] = part

    def _send(self, pipe: Pipe, message: Task | Part) -> None:
        try:
            pipe.send(message)
        except OSError as error:
            # What it said last, if it could, is the reason.
            self._receive(pipe)
            raise connections.ProcessLost from error

    def _receive(self, pipe: Pipe) -> Any:
        try:
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            raise connections.ProcessLost from error
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _work(pipe: Pipe, file: Path) -> None:
    """Until the other end is closed: a task, and then parts of it."""
    _end_with_parent()
    # Ctrl-C is for the whole group of processes; the main one tells what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ExitStack() as stack:
        try:
            source = stack.enter_context(opened(file, checked=True))
            pipe.send(fingerprint(file))
            loader = _loader(stack, pipe.recv(), source.connection)
            pipe.send(None)
            while True:
                pipe.send(loader.load(pipe.recv()))
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            # Nobody may be there any more to be told.
            with suppress(OSError):
                pipe.send(_portable(error))


def _loader(stack: ExitStack, task: Task, source: Any) -> Loader:
    target, asking = (
        stack.enter_context(connections.opened(task.dsn, task.search_path)) for _ in range(2)
    )
    return Loader(task.plan, task.run, task.checks, source, target, asking)


def _portable(error: Exception) -> Exception:
    """Errors of the driver and with arguments of their own can't all be sent to another process."""
    return connections.meaning(error) or RuntimeError(f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        pipes.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
