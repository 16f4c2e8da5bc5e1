"""Uploads and streams of events with `mindgraph serve`: what only its own process shows."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.auth import sessions
from app.auth.dependencies import SESSION_COOKIE
from app.cache import client as caches
from app.settings import Settings
from tests.cli.processes import Running, running
from tests.cli.test_serving import environment
from tests.people import ALICE

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

DOCUMENTS = "/api/knowledge/documents"
MB = 1024 * 1024
FORM = {"content-type": "multipart/form-data; boundary=border"}


@pytest.fixture
def serving(settings: Settings, tmp_path: Path) -> Iterator[Running]:
    environ = environment(settings, WEB_WORKERS=1)
    with running("serve", environ=environ, log=tmp_path / "log") as serving:
        yield serving


@pytest.fixture
def alice(serving: Running, settings: Settings) -> Iterator[httpx.Client]:
    with caches.build(settings) as redis:
        cookies = {SESSION_COOKIE: sessions.create(redis, settings, ALICE.id)}
    with httpx.Client(
        base_url=serving.url(), cookies=cookies, trust_env=False, timeout=120
    ) as client:
        yield client


def body(size_mb: int) -> Iterator[bytes]:
    """A form with a file of so many megabytes, each unlike the others."""
    yield b'--border\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    for at in range(size_mb):
        yield bytes([at]) * MB
    yield b"\r\n--border--\r\n"


def forget_peak(process: psutil.Process) -> None:
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak(process: psutil.Process) -> int:
    """The most bytes that were in its memory since `forget_peak`."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_a_large_upload_takes_no_memory(serving: Running, alice: httpx.Client) -> None:
    (worker,) = psutil.Process(serving.process.pid).children()
    # What the first one loads stays.
    assert alice.post(DOCUMENTS, content=body(2), headers=FORM).status_code == 201
    forget_peak(worker)
    before = peak(worker)
    made = alice.post(DOCUMENTS, content=body(40), headers=FORM)
    assert made.json()["newest"]["size"] == 40 * MB
    assert peak(worker) - before < 10 * MB


def test_a_file_is_sent_without_being_in_memory(serving: Running, alice: httpx.Client) -> None:
    (worker,) = psutil.Process(serving.process.pid).children()
    small = alice.post(DOCUMENTS, content=body(2), headers=FORM).json()["id"]
    large = alice.post(DOCUMENTS, content=body(40), headers=FORM).json()["id"]
    assert len(alice.get(f"{DOCUMENTS}/{small}/file").content) == 2 * MB
    forget_peak(worker)
    before = peak(worker)
    assert len(alice.get(f"{DOCUMENTS}/{large}/file").content) == 40 * MB
    assert peak(worker) - before < 10 * MB


def test_open_streams_end_well_when_the_server_stops(serving: Running, alice: httpx.Client) -> None:
    made = alice.post(DOCUMENTS, content=body(1), headers=FORM).json()["id"]
    with alice.stream("GET", f"{DOCUMENTS}/{made}/events") as answered:
        lines = answered.iter_lines()
        assert next(lines) == "event: document"
        serving.process.send_signal(signal.SIGTERM)
        # A stream that is cut off raises an error here.
        assert [line for line in lines if line.startswith("event:")] == []
    assert serving.process.wait(60) == 0
