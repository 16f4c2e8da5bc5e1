"""A line in the log for each statement that takes long: its text, without the values in it.

The server can't do that. The driver puts values into the text before it sends it, so the server's
own log of slow statements would hold them; db/init keeps it from the roles that the service has.
"""

import time
from typing import Any

import structlog
from sqlalchemy import Engine, event

log = structlog.get_logger(__name__)

LONGEST_TEXT = 2_000
# Where a connection keeps when its statements began: one may run inside of another's hooks.
BEGAN = "mindgraph_began"


def watch(engine: Engine, limit_ms: int) -> None:
    """Logs from now on whatever takes `limit_ms` or longer."""

    def begin(connection: Any, *_: object) -> None:
        connection.info.setdefault(BEGAN, []).append(time.perf_counter())

    def end(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        ms = (time.perf_counter() - connection.info[BEGAN].pop()) * 1000
        if ms >= limit_ms:
            text = " ".join(statement.split())
            log.warning("a slow statement", ms=round(ms, 1), statement=text[:LONGEST_TEXT])

    def forget(context: Any) -> None:
        if context.connection is not None:
            context.connection.info.pop(BEGAN, None)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", forget)
