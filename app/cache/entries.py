"""Copies in Redis of what the database has.

A copy is always as new as the database, or gone:

- A reader that finds none takes a lease, reads the database and stores the copy only if it still
  has the lease. Who changes the data takes leases away, so what was read before a change can't be
  stored after it. And as one reader at a time has the lease, a copy that many miss is made once.
- Who changes the data holds the lease from before its transaction until after its commit. Should
  it or Redis die in between, nobody can store a copy until the lease has run out.
- A copy that couldn't be forgotten, because Redis didn't answer, is remembered, and forgotten as
  soon as it does.
- A copy from before Redis could be reached again isn't believed: Redis may have come back with
  what somebody couldn't forget meanwhile.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from redis import RedisError

from app import metrics
from app.cache import client, keys, scripts

# For a reader's look into the database.
READ_MS = 5_000
# Longer than a transaction can take; see the limits of statements and locks in the settings.
CHANGE_MS = 60_000
# How long a reader waits for the one who has the lease, before it reads the database itself.
PATIENCE_S = 0.5
POLL_S = 0.01
RETRY_S = 0.2
# A full Redis refuses sessions, so copies must stay small beside them.
LARGEST = 32 * 1024

Model = TypeVar("Model", bound=BaseModel)

READING = "r:"
CHANGING = "c:"

FIND_OR_LEASE = """
local found = redis.call('GET', KEYS[1])
if found and tonumber(string.match(found, '^%d+') or 0) >= tonumber(ARGV[3]) then
    return {found, ''}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {false, ARGV[1]} end
return {false, redis.call('GET', KEYS[2])}
"""
STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] == '' then return 0 end
local time = redis.call('TIME')
local made = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], made .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
"""
# Pairs of a copy and its lease. A lease that another change has taken meanwhile stays with it.
FORGET = """
for at = 1, #KEYS, 2 do
    redis.call('DEL', KEYS[at])
    if redis.call('GET', KEYS[at + 1]) == ARGV[1] then redis.call('DEL', KEYS[at + 1]) end
end
return 1
"""


@dataclass(frozen=True)
class _Look:
    """What a look into Redis brought: the copy, or who has the lease. Neither without Redis."""

    copy: bytes | None = None
    holder: str = ""


class Cache:
    """The copies of one process. Without Redis every reader reads the database."""

    def __init__(self, redis: client.Client) -> None:
        self.redis = redis
        # How often each could not be forgotten.
        self._unforgotten: dict[str, int] = {}
        self._lock = threading.Lock()

    def read(self, key: str, ttl: timedelta, load: Callable[[], str | None]) -> str | bytes | None:
        """The copy under the key, or what `load` reads in the database, of which a copy is kept.

        None, which stands for nothing there, and what is larger than `LARGEST` aren't kept.
        """
        if self.is_unforgotten(key):
            return load()
        mine = READING + secrets.token_hex(8)
        look = self._look(key, mine)
        if look.copy is None and look.holder.startswith(READING) and look.holder != mine:
            look = self._wait(key, mine)
        result = "miss" if look.copy is None else "hit"
        metrics.CACHE_LOOKUPS.labels(key.partition(":")[0], result).inc()
        if look.copy is not None:
            return look.copy
        if look.holder != mine:
            return load()
        content = None
        try:
            content = load()
        finally:
            self._store(key, mine, content, ttl)
        return content

    def read_as(
        self, key: str, ttl: timedelta, model: type[Model], load: Callable[[], Model | None]
    ) -> Model | None:
        """`read` for what is a model. A copy of another shape, from another release, counts as
        none."""

        def load_text() -> str | None:
            loaded = load()
            return loaded.model_dump_json() if loaded is not None else None

        found = self.read(key, ttl, load_text)
        if found is None:
            return None
        try:
            return model.model_validate_json(found)
        except ValidationError:
            return load()

    def believed(self, copy: bytes | None) -> bytes | None:
        """The content of a copy as Redis has it, or None for one from before Redis was away."""
        made, _, content = (copy or b"").partition(b" ")
        # After the answer: this very question may have made the connection.
        is_newer = made.isdigit() and int(made) >= self.redis.reachability.since_ms
        return content if is_newer else None

    def is_unforgotten(self, key: str) -> bool:
        """Whether Redis couldn't be told to forget the copy; it may be older than the database."""
        with self._lock:
            return key in self._unforgotten

    @contextmanager
    def changing(self, *changed: str) -> Iterator[None]:
        """Goes around the transaction that changes what these copies are of, commit included."""
        if not changed:
            yield
            return
        mine = CHANGING + secrets.token_hex(8)
        self._hold(changed, mine)
        try:
            yield
        finally:
            # Also after an error: a commit whose answer was lost may have been made.
            self._forget(changed, mine)

    def _look(self, key: str, mine: str) -> _Look:
        with client.lenient("cache"):
            oldest = self.redis.reachability.since_ms
            copy, holder = self._run(FIND_OR_LEASE, [key], mine, READ_MS, oldest)
            return _Look(self.believed(copy), (holder or b"").decode())
        return _Look()

    def _wait(self, key: str, mine: str) -> _Look:
        deadline = time.monotonic() + PATIENCE_S
        look = _Look(holder=READING)
        while look.copy is None and look.holder.startswith(READING) and look.holder != mine:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
            look = self._look(key, mine)
        return look

    def _store(self, key: str, mine: str, content: str | None, ttl: timedelta) -> None:
        small = content if content and len(content.encode()) <= LARGEST else ""
        with client.lenient("cache"):
            self._run(STORE, [key], mine, small, int(ttl.total_seconds() * 1000))

    def _hold(self, changed: tuple[str, ...], mine: str) -> None:
        with client.lenient("cache"), self.redis.pipeline(transaction=False) as pipeline:
            # A full Redis refuses the leases, and still deletes.
            pipeline.delete(*changed)
            for key in changed:
                pipeline.set(keys.lease(key), mine, px=CHANGE_MS)
            pipeline.execute()

    def _forget(self, changed: tuple[str, ...], mine: str) -> None:
        try:
            self._run(FORGET, changed, mine)
        except RedisError as error:
            client.note_failure("cache", error)
            self._remember(changed)

    def _run(self, script: str, entries: Any, *arguments: str | int) -> Any:
        pairs = [part for key in entries for part in (key, keys.lease(key))]
        return scripts.run(self.redis, script, pairs, *arguments)

    def _remember(self, changed: tuple[str, ...]) -> None:
        with self._lock:
            idle = not self._unforgotten
            for key in changed:
                self._unforgotten[key] = self._unforgotten.get(key, 0) + 1
        if idle:
            threading.Thread(target=self._catch_up, name="cache", daemon=True).start()

    def _catch_up(self) -> None:
        late = True
        while late:
            time.sleep(RETRY_S)
            late = self._forget_late_ones()

    def _forget_late_ones(self) -> bool:
        """Whether there are any left."""
        with self._lock:
            late = dict(self._unforgotten)
        try:
            self.redis.delete(*late, *(keys.lease(key) for key in late))
        except RedisError:
            return True
        with self._lock:
            for key, times in late.items():
                # Not one that failed once more in between.
                if self._unforgotten[key] == times:
                    del self._unforgotten[key]
            return bool(self._unforgotten)
