"""What metrics and the status page tell about the database and Redis."""

import time
from typing import cast

from redis import Redis

from app.cache import client, keys, queue
from app.db import pooler
from app.db.session import Database
from app.knowledge import service as knowledge
from app.knowledge.schemas import Backlog
from app.settings import Settings
from app.status import queries
from app.status.schemas import Connections, Observed, Queue
from app.status.sources import Source
from app.vectors import client as vectors
from app.vectors.library import QdrantClient

KEPT_S = 10.0
# To count the sessions, all keys are looked through.
SESSIONS_KEPT_S = 60.0
# Beyond so many keys it would keep Redis from others.
MOST_KEYS = 500_000
KEYS_A_STEP = 1_000
NOTHING = Observed(None, None, None, None, None, None)


class Observer:
    """Asks for one process. In maintenance it asks nobody."""

    def __init__(
        self, database: Database, redis: Redis, qdrant: QdrantClient, settings: Settings
    ) -> None:
        self._database = database
        self._redis = redis
        self._maintenance = settings.maintenance
        self._in_database = Source("status-database", self._ask_database, KEPT_S)
        self._in_queue = Source("status-queue", self._ask_queue, KEPT_S)
        self._in_sessions = Source("status-sessions", self._ask_sessions, SESSIONS_KEPT_S)
        self._in_pooler = Source("status-pooler", lambda: pooler.pool(settings), KEPT_S)
        self._in_vectors = Source("status-vectors", lambda: vectors.version(qdrant), KEPT_S)
        self._has_pooler = pooler.is_there(settings)

    def look(self, patience_s: float) -> Observed:
        """Waits so long in all at most."""
        if self._maintenance:
            return NOTHING
        deadline = time.monotonic() + patience_s

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        backlog, connections = self._in_database.answer(left()) or (None, None)
        depth = self._in_queue.answer(left())
        pool = self._in_pooler.answer(left()) if self._has_pooler else None
        return Observed(
            backlog=backlog,
            connections=connections,
            queue=depth,
            sessions=self._in_sessions.answer(left()),
            pool=pool,
            vectors=self._in_vectors.answer(left()),
        )

    def _ask_database(self) -> tuple[Backlog, Connections | None]:
        with self._database.read() as session:
            return knowledge.backlog(session), queries.connections(session)

    def _ask_queue(self) -> Queue:
        return Queue.model_validate(queue.depth(self._redis))

    def _ask_sessions(self) -> int | None:
        """None when there are too many keys."""
        found, cursor = 0, 0
        with client.strict():
            if self._redis.dbsize() > MOST_KEYS:
                return None
            while True:
                step = self._redis.scan(cursor, match=keys.SESSIONS, count=KEYS_A_STEP)
                cursor, some = cast(tuple[int, list[bytes]], step)
                found += len(some)
                if cursor == 0:
                    return found
