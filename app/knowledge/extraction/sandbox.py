"""Reads a file in a process of its own, which may crash, spin or swell without harm to others."""

import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog

import app
from app.knowledge import errors
from app.knowledge.errors import ExtractionCancelled, ExtractionFailed, FileRefused
from app.knowledge.extraction import wire
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Extracted

log = structlog.get_logger(__name__)

POLL_S = 0.1
PIECE = 65_536
KEPT_OF_LOG = 16_384
BROKEN_MEMORY = re.compile(r"free\(\)|alloc|munmap_chunk|corrupt|smash|Assertion|terminate called")
# A child that spins is ended by the limit of its processor time, a little before.
GRACE_S = 1


def extract(
    path: Path, name: str, limits: Limits, stop: threading.Event | None = None
) -> Extracted:
    """Reads the text of a file.

    Args:
        name: of the file at its owner's; it only decides between kinds of text.
        stop: ends the extraction when it is set.

    Raises:
        FileRefused: one of its children says why this file can't be read, whoever tries again.
        ExtractionFailed: the file can't be opened, or the process that read it crashed.
        ExtractionCancelled: `stop` was set.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise ExtractionFailed from error
    child = _start(path.absolute(), name, limits)
    heard = _Heard()
    try:
        _listen(child, heard, limits, stop)
    finally:
        _end(child)
    return _judge(child.returncode, heard)


@dataclass
class _Heard:
    output: bytearray = field(default_factory=bytearray)
    # What it says otherwise: only the end.
    said: bytearray = field(default_factory=bytearray)


def _start(path: Path, name: str, limits: Limits) -> subprocess.Popen[bytes]:
    order = wire.Order(str(path), name, os.getpid(), limits)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "app.knowledge.extraction", wire.encode_order(order)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    """Nothing of the service's own, which holds secrets."""
    return {
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(app.__path__[0]).resolve().parent),
        "PYTHONUTF8": "1",
    }


def _listen(
    child: subprocess.Popen[bytes], heard: _Heard, limits: Limits, stop: threading.Event | None
) -> None:
    """Takes what the child sends until it ends."""
    assert child.stdout is not None
    assert child.stderr is not None
    deadline = time.monotonic() + limits.seconds + GRACE_S
    most = wire.most_bytes(limits)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, heard.output)
        selector.register(child.stderr, selectors.EVENT_READ, heard.said)
        while selector.get_map():
            if stop is not None and stop.is_set():
                raise ExtractionCancelled
            if time.monotonic() > deadline:
                raise errors.FileTakesTooLong
            _take(selector)
            del heard.said[:-KEPT_OF_LOG]
            if len(heard.output) > most:
                raise errors.FileHasTooMuchText


def _take(selector: selectors.BaseSelector) -> None:
    for key, _ in selector.select(POLL_S):
        piece = os.read(key.fd, PIECE)
        key.data.extend(piece)
        if not piece:
            selector.unregister(key.fileobj)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child with all that it started."""
    assert child.stdout is not None
    assert child.stderr is not None
    # It hasn't been waited for yet, so its number can't be that of another. How it ended stays
    # what it was.
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    child.stderr.close()


def _judge(code: int, heard: _Heard) -> Extracted:
    said = heard.said.decode(errors="replace").strip()
    try:
        extracted = wire.decode(bytes(heard.output))
    except FileRefused as refusal:
        log.info("file_refused", refusal=refusal.code, detail=refusal.detail, said=said)
        raise
    except wire.Garbled as error:
        log.error("extraction_garbled", code=code, said=said)
        raise ExtractionFailed from error
    if extracted is not None:
        return extracted
    log.warning("extraction_ended", code=code, said=said)
    if -code in {signal.SIGXCPU, signal.SIGALRM}:
        raise errors.FileTakesTooLong
    # PDFium aborts without a word when it gets no memory; others say what they found broken.
    if -code == signal.SIGABRT and not BROKEN_MEMORY.search(said):
        raise errors.FileTakesTooMuchMemory
    raise ExtractionFailed
