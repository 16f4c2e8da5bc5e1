"""Streams of events give back what they hold, however they end."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message
from structlog.testing import capture_logs

from app.http import event_streams
from app.http.event_streams import EventStream


class Client:
    """What a server tells and takes of one connection."""

    def __init__(self, *, stays: bool, takes: int = 100, reads: int = 100) -> None:
        self.stays = stays
        self.takes = takes
        self.reads = reads
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self.stays:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) == self.takes:
            raise OSError("gone")
        if len(self.sent) == self.reads:
            await anyio.sleep_forever()
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)


def run(stream: EventStream, client: Client, spec_version: str = "2.3") -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"spec_version": spec_version},
        "path": "/events",
    }

    async def respond() -> None:
        await stream(scope, client.receive, client.send)

    anyio.run(respond)


async def endless() -> AsyncIterator[str]:
    while True:
        yield "event: x\n\n"
        await anyio.sleep(0)


async def short() -> AsyncIterator[str]:
    yield "event: x\n\n"


def broken() -> Iterator[str]:
    yield "event: x\n\n"
    raise KeyError


def late() -> Iterator[str]:
    yield "event: x\n\n"
    raise TimeoutError


def test_at_the_end_it_is_closed_once_and_in_another_thread() -> None:
    closed: list[threading.Thread] = []
    client = Client(stays=True)
    run(EventStream(short(), lambda: closed.append(threading.current_thread())), client)
    assert client.body == b"event: x\n\n"
    (thread,) = closed
    assert thread is not threading.main_thread()


def test_a_client_that_is_gone_before_the_first_event_closes_it() -> None:
    closed: list[bool] = []
    client = Client(stays=False)
    run(EventStream(endless(), lambda: closed.append(True)), client)
    assert closed == [True]


@pytest.mark.parametrize("takes", [0, 1, 3])
def test_a_connection_that_breaks_closes_it(takes: int) -> None:
    closed: list[bool] = []
    client = Client(stays=True, takes=takes)
    with pytest.raises(ClientDisconnect):
        run(EventStream(endless(), lambda: closed.append(True)), client, spec_version="2.4")
    assert closed == [True]
    assert len(client.sent) == takes


def test_a_bug_within_the_events_closes_it() -> None:
    closed: list[bool] = []
    stream = EventStream(broken(), lambda: closed.append(True))
    with pytest.raises(KeyError):
        run(stream, Client(stays=True), spec_version="2.4")
    assert closed == [True]


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize("reads", [0, 1, 3])
def test_a_client_that_stays_and_reads_no_more_closes_it(
    monkeypatch: pytest.MonkeyPatch, reads: int, spec_version: str
) -> None:
    monkeypatch.setattr(event_streams, "SEND_S", 0.05)
    closed: list[bool] = []
    client = Client(stays=True, reads=reads)
    with capture_logs() as lines:
        run(EventStream(endless(), lambda: closed.append(True)), client, spec_version)
    assert closed == [True]
    assert len(client.sent) == reads
    assert [(one["event"], one["path"]) for one in lines] == [
        ("a client that reads no events is left", "/events")
    ]


def test_events_that_run_out_of_time_themselves_are_no_fault_of_the_client() -> None:
    closed: list[bool] = []
    with pytest.raises(TimeoutError):
        run(EventStream(late(), lambda: closed.append(True)), Client(stays=True))
    assert closed == [True]
