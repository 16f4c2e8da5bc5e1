import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
import redis

from app.cache import keys
from app.clock import now
from app.db import engine
from app.db.session import Database
from app.jobs import broker as brokers
from app.jobs import tasks, worker
from app.settings import Settings
from app.usage import service
from tests import usage
from tests.commands import wait_until
from tests.databases import on_postgresql
from tests.plans import explained

DAY = timedelta(days=1)
AGES = (400, 31, 29, 0)


@pytest.fixture
def ages(database: Database) -> None:
    with database.begin() as session:
        session.add_all([usage.row(now() - age * DAY, session_id=str(age)) for age in AGES])


def left(database: Database) -> list[str | None]:
    return [row.session_id for row in usage.stored(database)]


@pytest.mark.usefixtures("ages")
def test_what_is_older_than_the_days_goes(database: Database) -> None:
    assert service.count_older(database, days=30) == 2
    assert list(service.retain(database, days=30)) == [2]
    assert left(database) == ["29", "0"]
    assert service.count_older(database, days=30) == 0
    assert list(service.retain(database, days=30)) == [0]


def test_much_goes_in_batches_and_can_be_interrupted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RETAIN_BATCH", 10)
    with database.begin() as session:
        session.add_all([usage.row(now() - 40 * DAY) for _ in range(25)])
    assert next(service.retain(database, days=30)) == 10
    assert len(usage.stored(database)) == 15
    assert list(service.retain(database, days=30)) == [10, 5]
    assert usage.stored(database) == []


@on_postgresql
def test_statistics_and_retention_of_a_large_table_read_the_part_of_it_that_they_need(
    database: Database, settings: Settings
) -> None:
    direct = engine.build_direct(settings, name="test")
    with direct.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "INSERT INTO token_usage (created_at) "
            "SELECT now() - interval '1 year' + n * interval '5 minutes' "
            "FROM generate_series(1, 100000) AS n"
        )
        connection.exec_driver_sql("VACUUM ANALYZE token_usage")
    direct.dispose()
    with explained(database) as plans:
        assert service.count_older(database, days=364) > 0
        assert sum(service.retain(database, days=364)) > 0
    assert len(plans) == 2
    assert all("ix_token_usage_created_at" in plan for plan in plans), plans


@contextmanager
def working(settings: Settings, days: int | None) -> Iterator[None]:
    wanted = settings.model_copy(update={"usage_retention_days": days})
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(wanted, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.usefixtures("ages")
def test_the_worker_keeps_the_days_of_the_setting(settings: Settings, database: Database) -> None:
    with working(settings, 30):
        wait_until(lambda: left(database) == ["29", "0"], "old usage is gone")


@pytest.mark.usefixtures("ages")
def test_the_worker_keeps_everything_without_the_setting(
    settings: Settings, database: Database, cache: redis.Redis
) -> None:
    with working(settings, None):
        wait_until(lambda: cache.exists(keys.retention()), "the job is asked for")
        for number in range(2):
            brokers.build(cache).enqueue(tasks.message(tasks.PROVE, str(number)))
            proof = keys.worker_proof(str(number))
            wait_until(partial(cache.exists, proof), "the worker works")
    assert len(left(database)) == len(AGES)
