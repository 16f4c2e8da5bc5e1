"""Something happens between two steps of what the service does with documents."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.knowledge.files import Incoming
from app.knowledge.tools import Tools

WRITES = (
    "create_collection",
    "create_payload_index",
    "delete",
    "delete_collection",
    "update_collection_aliases",
    "upsert",
)


class Interruption:
    """Counts the points that this thread comes past, from 1; at the chosen one something happens.

    A point lies behind each thing that outlives the process: a commit, a write to Qdrant, a file in
    its place.
    """

    def __init__(self, chosen: int, happens: Callable[[], object], *, ahead: bool = False) -> None:
        """`ahead`: there are points ahead of writes to Qdrant as well."""
        self.chosen = chosen
        self.happens = happens
        self.ahead = ahead
        self.count = 0
        self._busy = False

    @property
    def came(self) -> bool:
        return self.count >= self.chosen

    @contextmanager
    def expected(self, tools: Tools) -> Iterator[None]:
        """In the block, for what works with these tools."""
        thread = threading.current_thread()

        def reached(*_: object) -> None:
            if threading.current_thread() is thread:
                self._reached()

        event.listen(Session, "after_commit", reached)
        for name in WRITES:
            self._put_into(tools.qdrant, name, self._watched(getattr(tools.qdrant, name), reached))
        self._put_into(tools.files, "keeping", self._watched_keeping(tools, reached))
        try:
            yield
        finally:
            event.remove(Session, "after_commit", reached)
            for name in WRITES:
                delattr(tools.qdrant, name)
            delattr(tools.files, "keeping")

    def _reached(self) -> None:
        if self._busy:
            return
        self.count += 1
        if self.count != self.chosen:
            return
        self._busy = True
        try:
            self.happens()
        finally:
            self._busy = False

    def _put_into(self, owner: object, name: str, value: object) -> None:
        setattr(owner, name, value)

    def _watched(
        self, write: Callable[..., Any], reached: Callable[[], None]
    ) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if self.ahead:
                reached()
            done = write(*args, **kwargs)
            reached()
            return done

        return watched

    def _watched_keeping(self, tools: Tools, reached: Callable[[], None]) -> Callable[..., Any]:
        keep = tools.files.keeping

        @contextmanager
        def keeping(incoming: Incoming) -> Iterator[None]:
            with keep(incoming):
                reached()
                yield

        return keeping
