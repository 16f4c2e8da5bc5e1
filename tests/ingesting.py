"""Orders for tests/ingester.py."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.settings import Settings
from tests import commands
from tests.ingester import DIED
from tests.places import CHECKOUT

Action = tuple[object, ...]


class Ingester:
    """The process that carries out orders, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        # What the last order's process said.
        self.said: list[dict[str, Any]] = []
        self.pid = 0
        assert self._hear() == {"ready": True}

    def carry_out(self, *actions: Action, **settings: object) -> None:
        """Without an accident."""
        self.order(actions, settings=settings)
        assert self.end() == 0, self.said

    def kill(self, point: int, *actions: Action, before: Sequence[Action] = ()) -> bool:
        """At a point of the actions; whether they came so far. What is `before` is done first."""
        self.order(actions, point=point, how="die", before=before)
        code = self.end()
        assert code in (0, DIED), self.said
        return code == DIED

    def stop(self, point: int, *actions: Action, before: Sequence[Action] = ()) -> bool:
        """At a point, as SIGSTOP does; whether they came so far. `go_on` lets it go on."""
        self.order(actions, point=point, how="stop", before=before)
        while True:
            heard = self._hear()
            if "stopped" in heard:
                return True
            if "code" in heard:
                assert heard["code"] == 0, self.said
                return False
            self.said.append(heard)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        assert self.end() == 0, self.said

    def check(self, *actions: Action, **settings: object) -> dict[str, Any]:
        """What the consistency check reports after the actions."""
        self.carry_out(*actions, ("check",), **settings)
        report: dict[str, Any] = self._told("report")
        return report

    def order(
        self,
        actions: Sequence[Action],
        *,
        point: int = 0,
        how: str = "die",
        before: Sequence[Action] = (),
        settings: dict[str, Any] | None = None,
    ) -> None:
        given = {
            "before": before,
            "actions": actions,
            "point": point,
            "how": how,
            # Where it matters: who dies ahead of a write dies behind the step before it.
            "ahead": how == "stop",
            "settings": settings or {},
        }
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(given)}\n")
        self.process.stdin.flush()
        self.said = []
        while "pid" not in (heard := self._hear()):
            self.said.append(heard)
        self.pid = heard["pid"]

    def end(self) -> int:
        """Waits for the end of the order; its exit code."""
        while "code" not in (heard := self._hear()):
            self.said.append(heard)
        return int(heard["code"])

    def _told(self, what: str) -> Any:
        return next(one[what] for one in self.said if what in one)

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard


@contextmanager
def running(settings: Settings) -> Iterator[Ingester]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ingester"],
        env=commands.environment_of(settings) | {"OPENBLAS_NUM_THREADS": "1"},
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Ingester(process)
