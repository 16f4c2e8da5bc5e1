"""kill -9 while usage is recorded: what was acknowledged is there, once, and nothing twice."""

import itertools
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from app.auth import sessions
from app.auth.dependencies import SESSION_COOKIE
from app.db.session import Database
from app.settings import Settings
from tests import commands, usage
from tests.cli.processes import Running, bare_environment, running
from tests.people import ALICE
from tests.servers import HOST, Servers

CLIENTS = 4
EVENTS = 5
KILLED_WORKERS = 3
DOCUMENTED = {201, 503}


class Client(threading.Thread):
    """Sends batch after batch, and each until it is acknowledged, wherever the service is now."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.url: str | None = None
        self.stop = threading.Event()
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.unanswered = 0
        self.surprises: list[str] = []

    def run(self) -> None:
        for number in itertools.count():
            ids = [str(uuid.uuid4()) for _ in range(EVENTS)]
            self.sent += ids
            while not self._send([{"event_id": one, "input_tokens": number} for one in ids]):
                if self.stop.wait(0.05):
                    return
            self.acknowledged += ids
            if self.stop.is_set():
                return

    def _send(self, batch: list[dict[str, object]]) -> bool:
        try:
            answer = httpx.post(
                f"{self.url}/api/usage",
                json={"events": batch},
                cookies={SESSION_COOKIE: self.token},
                timeout=20,
                trust_env=False,
            )
        except httpx.TransportError:
            self.unanswered += 1
            return False
        if answer.status_code not in DOCUMENTED:
            self.surprises.append(f"{answer.status_code} {answer.text[:200]}")
        return answer.status_code == 201


@pytest.fixture
def environ(settings: Settings, servers: Servers) -> dict[str, str]:
    return commands.environment_of(settings) | bare_environment(
        APP_PORT=0,
        QDRANT_API_KEY=servers.qdrant_api_key,
        QDRANT_URL=f"http://{HOST}:{servers.qdrant_port}",
        # They shall meet the database, not the limit.
        RATE_LIMITS="false",
        WEB_WORKERS=1,
    )


def wait_for_progress(clients: list[Client]) -> None:
    before = [len(client.acknowledged) for client in clients]
    commands.wait_until(
        lambda: all(
            len(client.acknowledged) >= count + 2 * EVENTS
            for client, count in zip(clients, before, strict=True)
        ),
        "every client records",
    )


def kill_worker(service: Running) -> None:
    """Kills the process that answers; its master starts another one."""
    (worker,) = [one for one in service.left() if one.pid != service.process.pid]
    worker.kill()
    commands.wait_until(lambda: worker not in service.left(), "it is dead")


def kill_all(service: Running) -> None:
    """As when the machine loses its power."""
    for one in service.left():
        one.kill()


@pytest.fixture
def clients(cache: redis.Redis, settings: Settings) -> Iterator[list[Client]]:
    token = sessions.create(cache, settings, ALICE.id)
    made = [Client(token) for _ in range(CLIENTS)]
    yield made
    # However the test ends.
    stop(made)


def stop(clients: list[Client]) -> None:
    """Waits until each has its last batch acknowledged, or has nobody to send it to."""
    for client in clients:
        client.stop.set()
    for client in clients:
        if client.is_alive():
            client.join()


def direct(clients: list[Client], url: str) -> None:
    for client in clients:
        client.url = url
        if not client.is_alive():
            client.start()


def test_every_acknowledged_event_is_there_exactly_once(
    database: Database, clients: list[Client], environ: dict[str, str], tmp_path: Path
) -> None:
    with running("serve", environ=environ, log=tmp_path / "first") as service:
        direct(clients, service.url())
        for _ in range(KILLED_WORKERS):
            wait_for_progress(clients)
            kill_worker(service)
        wait_for_progress(clients)
        kill_all(service)
    with running("serve", environ=environ, log=tmp_path / "second") as service:
        direct(clients, service.url())
        wait_for_progress(clients)
        stop(clients)
        assert service.stop(signal.SIGTERM) == 0, service.said()
    found = Counter(row.event_id for row in usage.stored(database))
    assert [client.surprises for client in clients] == [[]] * CLIENTS
    assert set(found.values()) == {1}
    assert {one for client in clients for one in client.acknowledged} <= set(found)
    assert set(found) <= {one for client in clients for one in client.sent}
    assert sum(client.unanswered for client in clients) > 0
