"""Responses of server-sent events."""

from collections.abc import AsyncIterable, Callable, Iterable

from anyio import CancelScope, to_thread
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.http.documentation import Responses

MEDIA_TYPE = "text/event-stream"
EVENTS: Responses = {200: {"content": {MEDIA_TYPE: {}}, "description": "Events."}}


class EventStream(StreamingResponse):
    """Sends events, and gives back what they hold, however it ends: also when the client goes away
    before the first of them, when no generator has been begun whose end could do it."""

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
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._close)
