import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from app.knowledge import errors
from app.knowledge.errors import ExtractionCancelled, ExtractionFailed, FileRefused
from app.knowledge.extraction import sandbox, wire
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block, Extracted
from tests import hostile
from tests.places import CHECKOUT

LIMITS = Limits(seconds=300)
PATIENCE_S = 60
# Reads a file as the worker does.
WORKER = """
import sys
from pathlib import Path
from app.knowledge.extraction import sandbox
from app.knowledge.extraction.limits import Limits
sandbox.extract(Path(sys.argv[1]), "spinning.html", Limits(seconds=300))
"""


@pytest.fixture
def spinning(tmp_path: Path) -> Path:
    path = tmp_path / hostile.SPINNING_FILE
    path.write_bytes(hostile.FILES[hostile.SPINNING_FILE][0]())
    return path


def soon(happened: Callable[[], object]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.02)
    return False


def child_of(process: int) -> psutil.Process | None:
    """Its process that extracts, once it has begun to do so."""
    for child in psutil.Process(process).children():
        if child.status() != psutil.STATUS_ZOMBIE and "app.knowledge.extraction" in child.cmdline():
            return child
    return None


def required_child(process: int) -> psutil.Process:
    assert soon(lambda: child_of(process))
    child = child_of(process)
    assert child is not None
    return child


class Extraction:
    """One that runs in a thread."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._path = path
        self._limits = limits
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> BaseException | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.error

    def _run(self) -> None:
        try:
            sandbox.extract(self._path, self._path.name, self._limits, self.stop)
        except Exception as error:
            self.error = error


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_text_comes_out_of_a_file_with_its_type(tmp_path: Path) -> None:
    path = tmp_path / "0b5e"
    path.write_text("# A title\n\nSome text.")
    assert sandbox.extract(path, "notes.md", LIMITS) == Extracted(
        (Block("A title", "heading", 1), Block("Some text.")), "text/markdown", title="A title"
    )


def test_an_extraction_that_is_stopped_ends_at_once_and_leaves_no_process(spinning: Path) -> None:
    extraction = Extraction(spinning)
    child = required_child(os.getpid())
    extraction.stop.set()
    assert isinstance(extraction.end(), ExtractionCancelled)
    assert not child.is_running()


def test_an_extraction_that_is_stopped_before_it_begins_reads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    stop = threading.Event()
    stop.set()
    with pytest.raises(ExtractionCancelled):
        sandbox.extract(path, "a.txt", LIMITS, stop)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGBUS])
def test_a_crash_is_no_refusal_so_that_the_file_is_tried_again(
    spinning: Path, number: signal.Signals
) -> None:
    extraction = Extraction(spinning)
    child = required_child(os.getpid())
    child.send_signal(number)
    assert isinstance(extraction.end(), ExtractionFailed)
    assert not child.is_running()


def test_a_worker_that_is_killed_takes_its_extraction_along(spinning: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(spinning)], cwd=CHECKOUT)
    try:
        child = required_child(worker.pid)
        # It has confined itself when it reads the file.
        assert soon(lambda: child.nice() > 0)
    finally:
        worker.kill()
        worker.wait()
    assert soon(lambda: not is_running(child))


def test_an_extraction_without_its_parent_reads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    order = wire.encode_order(wire.Order(str(path), "a.txt", 1, LIMITS))
    command = [sys.executable, "-m", "app.knowledge.extraction", order]
    ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == b""
    assert b"is gone" in ended.stderr


def test_the_process_has_no_secrets_few_rights_and_a_session_of_its_own(
    spinning: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "a secret of the service")
    extraction = Extraction(spinning)
    child = required_child(os.getpid())
    # The last that it sets.
    assert soon(lambda: child.rlimit(psutil.RLIMIT_AS)[0] != psutil.RLIM_INFINITY)
    assert child.nice() > 0
    limits = {name: child.rlimit(getattr(psutil, f"RLIMIT_{name}")) for name in LIMITED}
    environment = child.environ()
    session = os.getsid(child.pid)
    extraction.stop.set()
    extraction.end()
    assert "a secret of the service" not in environment.values()
    assert session == child.pid
    assert limits["FSIZE"] == (0, 0)
    assert limits["CORE"] == (0, 0)
    assert limits["CPU"] == (LIMITS.seconds, LIMITS.seconds + 1)
    assert limits["NOFILE"][1] <= 64
    assert limits["AS"][0] != psutil.RLIM_INFINITY


LIMITED = ("AS", "CORE", "CPU", "FSIZE", "NOFILE")


def test_a_file_that_is_gone_is_no_refusal(tmp_path: Path) -> None:
    with pytest.raises(ExtractionFailed):
        sandbox.extract(tmp_path / "nothing.txt", "nothing.txt", LIMITS)


def test_a_path_of_any_characters_is_read(tmp_path: Path) -> None:
    path = tmp_path / "文 '件'\n\udcff.txt"
    path.write_text("text")
    assert sandbox.extract(path, "文\udcff件.txt", LIMITS).blocks == (Block("text"),)


def refusals() -> Iterator[type[FileRefused]]:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, FileRefused) and value is not FileRefused:
            yield value


def test_every_refusal_passes_from_the_process_to_its_parent() -> None:
    kinds = list(refusals())
    assert len(kinds) > 10
    for kind in kinds:
        with pytest.raises(kind, match="because"):
            wire.decode(wire.encode_refusal(kind("because")))


@pytest.mark.parametrize(
    "output",
    [
        b"hello\n",
        b"{}\n",
        b"[]\n",
        b'{"block":["text","poem",0,null]}\n',
        b'{"block":["text","code",0]}\n',
        b'{"refused":["SystemExit","text"]}\n',
        b'{"done":[1,null,null]}\n',
        b"\xff\n",
    ],
)
def test_what_no_extraction_sends_is_not_taken(output: bytes) -> None:
    with pytest.raises(wire.Garbled):
        wire.decode(output)


def test_a_result_without_its_end_is_none() -> None:
    block = wire.encode_block(Block("text"))
    assert wire.decode(block) is None
    assert wire.decode(block + wire.encode_done("text/plain", None, None)[:-1]) is None


def test_an_order_arrives_as_it_was_sent() -> None:
    order = wire.Order("/a/\udcff", "文.txt", 7, Limits(seconds=3))
    assert asdict(wire.decode_order(wire.encode_order(order))) == asdict(order)
