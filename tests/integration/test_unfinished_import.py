"""A database into which rows of an old file are still being brought."""

import threading
from collections.abc import Iterator
from io import StringIO

import pytest

from app.db import migrations
from app.db.imports import ImportUnfinished
from app.db.init import init_db, require_head
from app.db.session import Database
from app.jobs import worker
from app.settings import Settings
from tests import commands, databases
from tests.databases import on_postgresql
from tests.http.browsers import serving
from tests.servers import Servers

pytestmark = on_postgresql

UNFINISHED = "CREATE TABLE legacy.import_state (id integer)"
FINISHED = "DROP TABLE legacy.import_state"


class Importer:
    """Who makes and drops the table by which an import under way is known."""

    def __init__(self, servers: Servers, settings: Settings) -> None:
        self._servers = servers
        self._name = settings.database_name

    def execute(self, *statements: str) -> None:
        with (
            databases.superuser(self._servers, self._name) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def begin(self) -> None:
        self.execute("CREATE SCHEMA legacy", UNFINISHED)


@pytest.fixture
def importer(servers: Servers, settings: Settings) -> Importer:
    """Nobody but the superuser may use the schema."""
    made = Importer(servers, settings)
    made.begin()
    return made


@pytest.mark.usefixtures("importer")
def test_nothing_is_prepared_and_the_way_on_is_named(settings: Settings) -> None:
    with pytest.raises(ImportUnfinished, match="--resume` or begin anew with --restart"):
        init_db(settings)


def test_it_is_found_before_the_schema_is_made(empty: Settings, servers: Servers) -> None:
    importer = Importer(servers, empty)
    importer.begin()
    with pytest.raises(ImportUnfinished):
        init_db(empty)
    assert init_db(empty, seeds=False, allow_unfinished=True).after == migrations.head()


@pytest.mark.usefixtures("importer")
def test_the_import_itself_may_prepare_it_again(settings: Settings) -> None:
    report = init_db(settings, seeds=False, allow_unfinished=True)
    assert not report.changed


def test_a_database_without_seeds_gets_them_from_the_next_that_wants_them(empty: Settings) -> None:
    first, second, third = init_db(empty, seeds=False), init_db(empty, seeds=False), init_db(empty)
    assert (first.organizations, second.organizations, third.organizations) == (0, 0, 4)


@pytest.mark.usefixtures("importer")
@pytest.mark.parametrize("command", [("serve",), ("init-db",)])
def test_a_command_that_prepares_the_database_says_so_in_a_sentence(
    settings: Settings, command: tuple[str, ...]
) -> None:
    done = commands.run(*command, environ=commands.environment_of(settings) | {"APP_PORT": "0"})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "an import into this database is not finished" in done.stderr


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def test_the_worker_waits_for_its_end(
    settings: Settings, importer: Importer, stop: threading.Event, said: StringIO
) -> None:
    thread = threading.Thread(target=worker.run, args=(settings, stop))
    thread.start()
    commands.wait_until(lambda: "import into this database" in said.getvalue(), "it waits")
    assert "worker is ready" not in said.getvalue()
    importer.execute(FINISHED)
    commands.wait_until(lambda: "worker is ready" in said.getvalue(), "it works")
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_service_that_runs_already_is_not_ready_until_its_end(
    settings: Settings, importer: Importer
) -> None:
    with serving(settings) as service:
        answer = service.browser().get("/readyz")
        assert (answer.status_code, answer.json()["down"]) == (503, ["schema"])
        assert "not finished" in answer.json()["services"]["schema"]["problem"]
        importer.execute(FINISHED)
        assert service.browser().get("/readyz").status_code == 200


def test_tables_that_a_finished_import_kept_stop_nobody(
    settings: Settings, importer: Importer, database: Database
) -> None:
    importer.execute(FINISHED, "CREATE TABLE legacy.import_quarantine (id integer)")
    assert not init_db(settings).changed
    with database.read() as session:
        assert require_head(session.connection()) == migrations.head()
