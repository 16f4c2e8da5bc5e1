import anyio
import pytest
from starlette.types import Message

from app.http.event_streams import EventStream

SCOPE = {"type": "http", "method": "GET", "path": "/events", "headers": []}


@pytest.mark.parametrize("read", [0, 2])
def test_a_client_that_stays_and_reads_nothing_gives_back_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    monkeypatch.setattr("app.http.event_streams.SEND_S", 0.05)
    closed = []
    sent: list[Message] = []

    async def send(message: Message) -> None:
        if len(sent) == read:
            await anyio.sleep_forever()
        sent.append(message)

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def serve() -> None:
        events = EventStream((f"data: {at}\n\n" for at in range(10)), lambda: closed.append(True))
        await events(SCOPE, receive, send)

    anyio.run(serve)
    assert closed == [True]
    assert len(sent) == read
