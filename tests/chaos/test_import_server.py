"""A server in need: its disk is full, or somebody holds what the import has to change."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from app.errors import Unavailable
from app.ops.migrate import connections, importing
from app.ops.migrate.importing import Options
from app.ops.migrate.progress import Silence
from tests import databases, sources
from tests.conftest import RUN
from tests.servers import Crashing

# An empty database takes 8 MB of it.
SPACE = {"/small": "size=64m,uid=999,gid=999,mode=700"}
ROWS, BYTES = 3_000, 4_000
TARGET = "CREATE TABLE notes (id bigint PRIMARY KEY, body text NOT NULL)"


class Announced(Silence):
    """Notes which phases begin."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def phase(self, name: str, _total: int = 0, _unit: str = "") -> None:
        self.phases.append(name)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Crashing]:
    with request.config.stash[RUN].postgres(SPACE) as made:
        made.run("mkdir", "/small/space")
        with databases.superuser(made.servers) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLESPACE small LOCATION '/small/space'")
        yield made


@pytest.fixture
def options(server: Crashing, tmp_path: Path) -> Iterator[Options]:
    """Into a database on the small disk."""
    file = sources.make(
        tmp_path / "old.db",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)",
        # Other bytes in each row, or the server would make them small.
        f"WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})"
        f" INSERT INTO notes SELECT id, hex(randomblob({BYTES // 2})) FROM n",
    )
    with databases.superuser(server.servers) as connection, connection.cursor() as cursor:
        databases.copy(cursor, "mindgraph", "small")
        cursor.execute("ALTER DATABASE small SET TABLESPACE small")
    settings = databases.settings_of(server.servers, "small")
    try:
        owner = psycopg2.connect(connections.dsn(settings))
        with closing(owner), owner, owner.cursor() as cursor:
            cursor.execute(TARGET)
        yield Options(source=file, dsn=connections.dsn(settings), shown="small")
    finally:
        with databases.superuser(server.servers) as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE small WITH (FORCE)")


def test_a_full_disk_is_told_and_with_more_room_it_goes_on(
    server: Crashing, options: Options
) -> None:
    server.run("bash", "-c", "head -c 40M /dev/zero > /small/filler")
    with pytest.raises(Unavailable, match=r"disk is full; make room, .* again with --resume"):
        importing.run(options, Silence())
    server.run("rm", "/small/filler")
    told = Announced()
    report = importing.run(replace(options, begin="resume"), told)
    assert report.exit_code == 0
    assert report.rows_read == ROWS
    with closing(psycopg2.connect(options.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(length(body)) FROM notes")
        assert cursor.fetchall() == [(ROWS, ROWS * BYTES)]


@pytest.mark.parametrize("mode", ["ACCESS SHARE", "ACCESS EXCLUSIVE"])
def test_who_holds_a_lock_is_not_waited_for_for_long(options: Options, mode: str) -> None:
    impatient = replace(options, dsn=_impatient(options.dsn))
    with closing(psycopg2.connect(options.dsn, application_name="service")) as service:
        with service.cursor() as cursor:
            cursor.execute(sql.SQL("LOCK TABLE notes IN {} MODE").format(sql.SQL(mode)))
        with pytest.raises(Unavailable, match=r"another session holds a lock .* stop the service"):
            importing.run(impatient, Silence())
        service.rollback()
    assert importing.run(impatient, Silence()).exit_code == 0


class Locking(Announced):
    """Another session that locks the table where a phase begins."""

    def __init__(self, phase: str, dsn: str) -> None:
        super().__init__()
        self._phase = phase
        self.service = psycopg2.connect(dsn, application_name="service")

    def phase(self, name: str, _total: int = 0, _unit: str = "") -> None:
        super().phase(name)
        if name == self._phase:
            with self.service.cursor() as cursor:
                cursor.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")


@pytest.mark.parametrize(
    "phase", ["loading", "indexes and constraints", "sequences", "statistics", "proof"]
)
def test_a_lock_in_the_midst_of_it_loses_nothing(options: Options, phase: str) -> None:
    impatient = replace(options, dsn=_impatient(options.dsn))
    with closing(psycopg2.connect(options.dsn)) as owner, owner, owner.cursor() as cursor:
        # Something to do in each phase.
        cursor.execute("ALTER TABLE notes ADD number bigserial")
    told = Locking(phase, options.dsn)
    with closing(told.service):
        with pytest.raises(Unavailable, match="another session holds a lock"):
            importing.run(impatient, told)
        assert told.phases[-1] == phase
    report = importing.run(replace(impatient, begin="resume"), Silence())
    assert (report.exit_code, report.rows_read) == (0, ROWS)


def _impatient(dsn: str) -> str:
    before = f"lock_timeout={connections.LOCK_TIMEOUT_MS}"
    assert before in dsn
    return dsn.replace(before, "lock_timeout=300")
