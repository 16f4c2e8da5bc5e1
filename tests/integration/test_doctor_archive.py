"""What the doctor says of a PostgreSQL that archives: real segments, and a command that fails."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.db import engine
from app.ops.doctor import postgresql
from app.ops.doctor.findings import Finding
from tests import commands
from tests.conftest import RUN
from tests.databases import settings_of, superuser
from tests.servers import Crashing


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Crashing]:
    with request.config.stash[RUN].postgres() as made:
        yield made


def run(server: Crashing, *statements: str) -> None:
    with superuser(server.servers, "mindgraph") as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def archive(server: Crashing) -> Finding:
    target = engine.url(settings_of(server.servers, "mindgraph"), owner=True)
    direct = create_engine(target, poolclass=NullPool)
    with direct.connect() as connection:
        return postgresql.archive(connection, production=True)


def test_an_archive_that_takes_nothing_is_a_failure_until_it_does(server: Crashing) -> None:
    run(
        server,
        "ALTER SYSTEM SET archive_mode = on",
        "ALTER SYSTEM SET archive_command = 'false'",
    )
    server.kill()
    run(server, "CREATE TABLE written (a int)", "SELECT pg_switch_wal()")
    commands.wait_until(lambda: not archive(server).is_ok, "a try has failed")
    found = archive(server)
    assert found.status == "failure"
    assert not found.seen.startswith("0 segments, none yet, 0 wait")
    assert "the newest try failed" in found.seen
    run(server, "ALTER SYSTEM SET archive_command = 'true'", "SELECT pg_reload_conf()")
    commands.wait_until(lambda: archive(server).is_ok, "all is archived")
    assert "0 wait" in archive(server).seen
