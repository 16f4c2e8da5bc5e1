"""`mindgraph run`: everything on this machine without Docker."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import start, wait_until
from tests.places import CHECKOUT

MAP = json.loads((CHECKOUT / "examples/mind-map.json").read_text(encoding="utf-8"))


class Embedded:
    """One data folder and port, and the runs on them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.environ = {
            "APP_PORT": str(port),
            "CAPTCHA_ENABLED": "false",
            "DATA_DIR": str(folder),
            "HOME": os.environ.get("HOME", "/"),
            "PATH": os.environ["PATH"],
        }
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.running: subprocess.Popen[str] | None = None
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def start(self) -> None:
        self.running = start("run", environ=self.environ)
        wait_until(self.is_ready, "it is ready")

    def is_ready(self) -> bool:
        assert self.running
        if self.running.poll() is not None:
            raise AssertionError(f"it ended: {self.running.communicate()[0]}")
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def end(self, number: signal.Signals) -> tuple[str, int]:
        """What it said until it ended by a signal, and its exit status."""
        assert self.running
        self.running.send_signal(number)
        said, _ = self.running.communicate(timeout=60)
        return said, self.running.returncode

    def log_in(self, login: str) -> None:
        account = {"login": login, "password": "a long enough one"}
        invitation = {"invitation_code": "DEMO-A1B2C"}
        self.client.post("/api/auth/register", json=account | invitation).raise_for_status()
        self.client.post("/api/auth/login", json=account).raise_for_status()

    def save(self) -> str:
        answer = self.client.post("/api/diagrams", json=MAP).raise_for_status()
        made: str = answer.json()["id"]
        return made

    def has(self, diagram: str) -> bool:
        answer = self.client.get(f"/api/diagrams/{diagram}").raise_for_status()
        found: dict[str, Any] = answer.json()
        return bool({name: found[name] for name in MAP} == MAP)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Embedded(tmp_path / "data", port)
    try:
        yield made
    finally:
        made.client.close()
        if made.running and made.running.poll() is None:
            made.end(signal.SIGTERM)


def test_what_was_saved_is_there_after_a_restart_for_its_owner_only(embedded: Embedded) -> None:
    embedded.start()
    embedded.log_in("alice@school.org")
    diagram = embedded.save()
    assert embedded.folder.stat().st_mode & 0o077 == 0
    assert embedded.end(signal.SIGTERM)[1] == 0
    embedded.start()
    assert embedded.has(diagram)
    said, code = embedded.end(signal.SIGINT)
    assert code == 0
    assert said.rstrip().endswith("stopped; the data is kept")


def test_a_body_in_chunks_over_a_real_connection_is_held_to_the_limit(embedded: Embedded) -> None:
    embedded.start()
    embedded.log_in("alice@school.org")
    pieces = (b"x" * 65_536 for _ in range(17))
    # The server may answer, and close, before everything is sent.
    with suppress(httpx.WriteError):
        answer = embedded.client.post(
            "/api/diagrams", content=pieces, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
    assert embedded.is_ready()
