"""Responses of server-sent events."""

from collections.abc import AsyncIterable, Callable, Iterable

import structlog
from anyio import CancelScope, move_on_after, to_thread
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.http.documentation import Responses

log = structlog.get_logger(__name__)

# How long a client may take to make room for an event.
SEND_S = 30.0
MEDIA_TYPE = "text/event-stream"
EVENTS: Responses = {200: {"content": {MEDIA_TYPE: {}}, "description": "Events."}}


class NotRead(Exception):
    """The client stays, and takes nothing."""


class EventStream(StreamingResponse):
    """Sends events, and gives back what they hold, however it ends: also when the client goes away
    before the first of them, when no generator has been begun whose end could do it, and when it
    stays and reads no more."""

    def __init__(
        self,
        events: AsyncIterable[str] | Iterable[str],
        close: Callable[[], object],
        # FastAPI looks for its default.
        status_code: int = 200,
    ) -> None:
        """
        Args:
            events: as they are sent.
            close: called in a thread, once, when none is sent any more.
        """
        # A proxy is not to wait for more before it passes them on.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, status_code, headers, MEDIA_TYPE)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_soon(message: Message) -> None:
            # Whoever stays and reads nothing would keep for ever what others wait for.
            with move_on_after(SEND_S) as patience:
                await send(message)
            if patience.cancelled_caught:
                # No TimeoutError, which is an OSError, and as such means that the client is gone.
                raise NotRead

        try:
            await super().__call__(scope, receive, send_soon)
        except NotRead:
            log.info("a client that reads no events is left", path=scope["path"])
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._close)
