import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import select

from app import clock
from app.cache import keys
from app.db.init import init_db
from app.db.session import Database
from app.diagrams import trash
from app.diagrams.models import Diagram
from app.jobs import broker as brokers
from app.jobs import tasks, worker
from app.ops.doctor import examination
from app.settings import Settings
from tests.commands import wait_until
from tests.databases import is_waiting, on_postgresql
from tests.people import ALICE, BOB


@contextmanager
def working(settings: Settings, alive: Path | None = None) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(settings, stop, alive))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def ask_for_proof(cache: redis.Redis) -> str:
    nonce = secrets.token_hex(8)
    brokers.build(cache).enqueue(tasks.message(tasks.PROVE, nonce))
    return keys.worker_proof(nonce)


def diagram(name: str, *, deleted: bool, age: timedelta, **values: Any) -> Diagram:
    moment = clock.now() - age
    given = {
        "id": name,
        "user_id": ALICE.id,
        "title": name,
        "diagram_type": "mind_map",
        "spec": {},
        "is_deleted": deleted,
        "created_at": moment,
        "updated_at": moment,
    }
    return Diagram(**given | values)


def stored(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(Diagram.id)))


DAY = timedelta(days=1)


@pytest.fixture
def full_trash(database: Database) -> None:
    with database.begin() as session:
        session.add_all(
            [
                diagram("old in the trash", deleted=True, age=31 * DAY),
                diagram("old of bob", deleted=True, age=400 * DAY, user_id=BOB.id),
                diagram("young in the trash", deleted=True, age=29 * DAY),
                diagram("old but not deleted", deleted=False, age=400 * DAY),
            ]
        )


KEPT = {"young in the trash", "old but not deleted"}


def test_a_job_goes_through_the_queue_and_is_done(
    settings: Settings, cache: redis.Redis, tmp_path: Path
) -> None:
    before = ask_for_proof(cache)
    alive = tmp_path / "alive"
    with working(settings, alive):
        after = ask_for_proof(cache)
        wait_until(lambda: cache.exists(before, after) == 2, "both jobs are done")
        wait_until(alive.exists, "it is known to be alive")
    assert cache.ttl(before) > 0


@pytest.mark.usefixtures("full_trash")
def test_the_worker_purges_what_has_been_in_the_trash_for_too_long(
    settings: Settings, database: Database
) -> None:
    with working(settings):
        wait_until(lambda: stored(database) == KEPT, "the trash is purged")


@pytest.mark.usefixtures("full_trash")
def test_a_worker_leaves_the_purge_to_the_one_that_has_asked_for_it_in_this_hour(
    settings: Settings, database: Database, cache: redis.Redis
) -> None:
    before = stored(database)
    cache.set(keys.purge(), b"1")
    with working(settings):
        for _ in range(2):
            proof = ask_for_proof(cache)
            wait_until(partial(cache.exists, proof), "the worker works")
    assert stored(database) == before


@pytest.mark.usefixtures("full_trash")
def test_the_days_in_the_trash_are_a_setting(database: Database) -> None:
    assert trash.purge_old(database, days=500) == 0
    assert trash.purge_old(database, days=30) == 2
    assert stored(database) == KEPT
    assert trash.purge_old(database, days=30) == 0
    assert trash.purge_old(database, days=1) == 1


def test_a_large_trash_is_purged_in_batches(database: Database) -> None:
    many = trash.PURGE_BATCH * 2 + 1
    with database.begin() as session:
        session.add_all([diagram(str(at), deleted=True, age=40 * DAY) for at in range(many)])
    assert trash.purge_old(database, days=30) == many
    assert stored(database) == set()


def test_the_worker_waits_until_the_database_is_ready(
    empty: Settings, cache: redis.Redis, said: StringIO, tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    proof = ask_for_proof(cache)
    with working(empty, alive) as thread:
        wait_until(
            lambda: "waiting until the service" in said.getvalue(),
            "the worker says that it waits",
        )
        assert thread.is_alive()
        assert not alive.exists()
        assert not cache.exists(proof)
        init_db(empty)
        wait_until(lambda: cache.exists(proof), "the worker works")


def test_a_worker_that_waits_can_be_stopped(empty: Settings, said: StringIO) -> None:
    with working(empty):
        wait_until(
            lambda: "waiting until the service" in said.getvalue(),
            "the worker says that it waits",
        )


@pytest.mark.usefixtures("full_trash")
def test_during_maintenance_the_worker_is_alive_and_takes_no_job(
    settings: Settings, database: Database, cache: redis.Redis, tmp_path: Path
) -> None:
    before = stored(database)
    proof = ask_for_proof(cache)
    alive = tmp_path / "alive"
    closed = settings.model_copy(update={"maintenance": True})
    with working(closed, alive):
        wait_until(alive.exists, "it is known to be alive")
    assert not cache.exists(proof)
    assert not cache.exists(keys.purge())
    assert stored(database) == before
    with working(settings):
        wait_until(lambda: cache.exists(proof), "the job is done after the maintenance")


def test_the_doctor_waits_for_no_job_during_maintenance(empty: Settings) -> None:
    found = examination.examine(empty.model_copy(update={"maintenance": True}))
    (worker_is,) = [one for one in found if one.check == "worker"]
    assert (worker_is.status, worker_is.seen) == ("ok", "takes no jobs; MAINTENANCE is true")
    assert all(one.check != "schema" for one in found)


# On SQLite every writer is alone.
@on_postgresql
def test_a_diagram_that_is_restored_during_the_purge_stays(
    settings: Settings, database: Database
) -> None:
    with database.begin() as session:
        session.add(diagram("old", deleted=True, age=40 * DAY))
    purging = threading.Thread(target=trash.purge_old, args=(database,), kwargs={"days": 30})
    with database.begin() as session:
        trash.restore(session, settings, ALICE.id, "old")
        purging.start()
        wait_until(lambda: is_waiting(database), "the purge waits for the restored diagram")
    purging.join()
    assert stored(database) == {"old"}
