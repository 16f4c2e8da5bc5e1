"""Runs imports as programs of their own, for tests that end them.

A process that has loaded everything once makes a new one for each import; these take a second less
to start. Who asks for one sends what it is to do, and its standard output and error.
"""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from app.errors import AppError
from app.ops.migrate import importing, verify
from app.ops.migrate.importing import Options
from app.ops.migrate.plans import Rules

MESSAGE = 65_536


class Told:
    """Progress as lines."""

    def phase(self, name: str, _total: int = 0, _unit: str = "") -> None:
        self._say(f"phase {name}")

    def advance(self, count: int) -> None:
        self._say(f"advance {count}")

    def remark(self, text: str) -> None:
        self._say(f"remark {text}")

    def _say(self, line: str) -> None:
        os.write(1, f"{line}\n".encode())


def serve(address: str) -> None:
    """Until who started this closes its standard input."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        os.write(1, b"ready\n")
        while True:
            asking, _ = listener.accept()
            with asking:
                if os.fork() == 0:
                    listener.close()
                    os._exit(_watch(asking))
            os.waitpid(-1, os.WNOHANG)


def _watch(asking: socket.socket) -> int:
    """Tells the pid of an import, and at its end its exit code."""
    message, streams, _, _ = socket.recv_fds(asking, MESSAGE, 2)
    pid = os.fork()
    if pid == 0:
        asking.close()
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
            os.close(stream)
        os._exit(_import(json.loads(message)))
    for stream in streams:
        os.close(stream)
    asking.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


def options(given: dict[str, Any]) -> Options:
    return Options(
        source=Path(given["source"]),
        dsn=given["dsn"],
        shown="the target",
        rules=Rules(defaults={("notes", "kind"): "'none'"}),
        begin=given["begin"],
        jobs=given["jobs"],
        on_bad_row=given["on_bad_row"],
        is_dry_run=given["is_dry_run"],
    )


def _import(given: dict[str, Any]) -> int:
    # Of a few thousand rows there shall be many parts, and processes also in the proof.
    importing.PART_ROWS = given["part_rows"]
    verify.WORTH_PROCESSES = given["worth_processes"]
    try:
        report = importing.run(options(given), Told())
    except AppError as error:
        os.write(2, f"{error.detail}\n".encode())
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        return 1
    os.write(1, f"verdict {report.verdict}\n".encode())
    for line in (*report.remarks, *(report.proof.problems if report.proof else ())):
        os.write(1 if line in report.remarks else 2, f"{line}\n".encode())
    return report.exit_code
