import time
from typing import Any

from sqlalchemy import Engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app import metrics

# A connection used so shortly before is not asked whether it still lives, which costs as much as a
# statement: no server is away and back in less.
FRESH_S = 1.0


def ask_the_idle(engine: Engine) -> None:
    """Lets nobody have a connection that broke while nobody used it.

    As the engine's own `pool_pre_ping` does, but for those that were used in the last second.
    """
    errors = engine.dialect.loaded_dbapi.Error

    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    def ask(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < FRESH_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except errors as error:
            # The others are no better.
            raise exc.InvalidatePoolError from error

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", ask)


class MeasuredPool(QueuePool):
    """A pool that tells how many of its connections are in use, and how long one is waited for.

    Its logging_name is its name there.
    """

    def _do_get(self) -> ConnectionPoolEntry:
        name = self.logging_name or "?"
        try:
            with metrics.timed(metrics.POOL_WAIT_SECONDS.labels(name)):
                return super()._do_get()
        except exc.TimeoutError:
            metrics.POOL_TIMEOUTS.labels(name).inc()
            raise
        finally:
            metrics.POOL_CHECKED_OUT.labels(name).set(self.checkedout())

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        # The number itself, not one less: nothing that goes wrong in between makes it drift.
        metrics.POOL_CHECKED_OUT.labels(self.logging_name or "?").set(self.checkedout())
