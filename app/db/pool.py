from sqlalchemy import exc
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from app import metrics


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
