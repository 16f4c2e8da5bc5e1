"""Commands that keep running, and proof that they leave no process behind."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from tests import commands
from tests.places import CHECKOUT

ADDRESS = re.compile(r"(?:MindGraph runs on|Listening at:) (http://\S+)")
STOP_S = 40.0


class Running:
    """A command under way; what it says goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._seen: set[psutil.Process] = set()

    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, words: str) -> None:
        commands.wait_until(lambda: words in self.said() or self._ended(), f"it says {words!r}")
        assert words in self.said(), self.said()

    def url(self) -> str:
        """The address that it serves at, once it is ready there."""
        commands.wait_until(
            lambda: ADDRESS.search(self.said()) or self._ended(), "it tells its address"
        )
        found = ADDRESS.search(self.said())
        assert found, self.said()
        commands.wait_until(lambda: _is_ready(found[1]) or self._ended(), "it is ready")
        assert not self._ended(), self.said()
        return found[1]

    def family(self) -> set[psutil.Process]:
        """Every process of it that was ever seen here."""
        with suppress(psutil.NoSuchProcess):
            me = psutil.Process(self.process.pid)
            self._seen |= {me, *me.children(recursive=True)}
        return self._seen

    def stop(self, number: signal.Signals) -> int:
        """Sends the signal as a terminal or a supervisor does; the exit status."""
        self.family()
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def left(self) -> list[psutil.Process]:
        return [one for one in self.family() if one.is_running() and not _is_over(one)]

    def _ended(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def running(
    *arguments: str,
    environ: dict[str, str],
    log: Path,
    program: tuple[str, ...] = (str(commands.MINDGRAPH),),
    cwd: Path = CHECKOUT,
) -> Iterator[Running]:
    """Starts a command for the block; ends it, and all that it started, however the block ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*program, *arguments],
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = Running(process, log)
    try:
        yield started
    finally:
        started.family()
        for one in started.left():
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait(STOP_S)


def bare_environment(**values: object) -> dict[str, str]:
    """What any process has, and these settings."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return kept | {name: str(value) for name, value in values.items()}


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def _is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
