"""Streams of events give back what they hold, however they end."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.http.event_streams import EventStream


class Client:
    """What a server tells and takes of one connection."""

    def __init__(self, *, stays: bool, takes: int = 100) -> None:
        self.stays = stays
        self.takes = takes
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self.stays:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) == self.takes:
            raise OSError("gone")
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)


def run(stream: EventStream, client: Client, spec_version: str = "2.3") -> None:
    scope: dict[str, Any] = {"type": "http", "asgi": {"spec_version": spec_version}}

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
