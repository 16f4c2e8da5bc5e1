"""A disk that is full, or nearly so, below the embedded database. A real one: a small file system
of a container, which needs no privileges here."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import pytest
from sqlalchemy import select

from app.db import engine
from app.db.errors import DiskFull
from app.db.init import init_db
from app.db.session import Database
from app.organizations.models import Organization
from app.settings import Settings
from tests.conftest import RUN
from tests.databases import on_postgresql, on_sqlite
from tests.places import CHECKOUT
from tests.servers import Servers, image

# More than any disk has, and more than the tests' disk.
ENDLESS_MB = 1_000_000
# What happens to the service's own Database on a disk of 8 MB. Prints it all at the end.
ON_A_SMALL_DISK = """
import collections, json, os
from pathlib import Path
from sqlalchemy import delete, func, select
from app import clock
from app.db import engine
from app.db.init import init_db, judge_file
from app.db.session import Database
from app.organizations.models import Organization
from app.settings import Settings

def settings(reserve_mb):
    return Settings(data_dir="/small", disk_reserve_mb=reserve_mb, environment="test")

def fill():
    with open("/small/ballast", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass

def write(database, code):
    try:
        with database.begin() as session:
            session.add(Organization(code=code, name="x" * 200, created_at=clock.now()))
        return "written"
    except Exception as error:
        return type(error).__name__

def count(database):
    with database.read() as session:
        ours = Organization.code.startswith("c")
        return session.scalar(select(func.count()).where(ours))

init_db(settings(0))
database = Database(engine.build(settings(0), name="test", threads=1))
happened = {"first": write(database, "c-first")}
fill()
full = collections.Counter(write(database, f"c-full-{number}") for number in range(200))
happened["full"] = full
happened["lost"] = 1 + full["written"] - count(database)
os.unlink("/small/ballast")
happened["freed"] = write(database, "c-freed")

guarded = Database(engine.build(settings(1_000), name="test", threads=1))
happened["guarded"] = write(guarded, "c-guarded")
happened["read"] = count(guarded) > 1
with guarded.begin(frees_space=True) as session:
    session.execute(delete(Organization).where(Organization.code == "c-first"))
happened["deleted"] = count(guarded)
guarded.close()
database.close()
happened["verdict"] = judge_file(settings(0)).state
print(json.dumps(happened))
"""


@contextmanager
def database_of(settings: Settings, reserve_mb: int) -> Iterator[Database]:
    changed = settings.model_copy(update={"disk_reserve_mb": reserve_mb})
    made = Database(engine.build(changed, name="test", threads=1))
    yield made
    made.close()


def rename(database: Database, *, frees_space: bool = False) -> None:
    with database.begin(frees_space=frees_space) as session:
        one = session.get(Organization, 1)
        assert one
        one.name = "renamed"


def test_a_full_disk_is_told_and_what_was_told_to_be_written_is_there(
    servers: Servers, request: pytest.FixtureRequest
) -> None:
    assert servers
    client = docker.from_env()
    try:
        said = client.containers.run(
            image("app"),
            ["python3", "-c", ON_A_SMALL_DISK],
            cap_drop=["ALL"],
            labels=request.config.stash[RUN].labels,
            network_mode="none",
            remove=True,
            tmpfs={"/small": "size=8m,mode=1777"},
            volumes={str(CHECKOUT / "app"): {"bind": "/srv/mindgraph/app", "mode": "ro"}},
        )
    finally:
        client.close()
    happened: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert happened["full"].keys() <= {"written", "DiskFull"}
    assert happened["full"]["DiskFull"] > 0
    assert happened["first"] == happened["freed"] == "written"
    assert happened["lost"] == 0
    assert happened["guarded"] == "DiskFull"
    assert happened["read"] is True
    assert happened["deleted"] == 1 + happened["full"].get("written", 0)
    assert happened["verdict"] == "clean"


@on_sqlite
def test_below_the_reserve_nothing_but_cleaning_is_written(settings: Settings) -> None:
    with database_of(settings, ENDLESS_MB) as database:
        with pytest.raises(DiskFull) as refused:
            rename(database)
        assert refused.value.status == 503
        assert str(settings.data_dir) in refused.value.detail
        assert "DISK_RESERVE_MB" in refused.value.detail
        with database.read() as session:
            names = "Demo School for Testing"
            assert session.scalar(select(Organization.name).where(Organization.id == 1)) == names
        rename(database, frees_space=True)
        with pytest.raises(DiskFull):
            rename(database)


@on_sqlite
@pytest.mark.parametrize("reserve_mb", [0, 1])
def test_above_the_reserve_or_without_one_all_is_written(
    settings: Settings, reserve_mb: int
) -> None:
    assert shutil.disk_usage(settings.data_dir).free > 2_000_000
    with database_of(settings, reserve_mb) as database:
        rename(database)


@on_postgresql
def test_a_server_looks_after_its_own_disk(settings: Settings) -> None:
    with database_of(settings, ENDLESS_MB) as database:
        rename(database)


@on_sqlite
def test_no_database_is_made_where_there_is_no_space(empty: Settings) -> None:
    with pytest.raises(DiskFull):
        init_db(empty.model_copy(update={"disk_reserve_mb": ENDLESS_MB}))
    assert init_db(empty).changed
