"""The contract of the postgres image, official or offline."""

import gzip
from typing import Any

import docker
import psycopg2
import pytest
from docker.models.containers import Container

from tests.stack.base_images import (
    HARDENED,
    Containers,
    eventually,
    exit_code_after_stop,
    host_port,
    loopback,
    restarted,
)

pytest_plugins = ["tests.stack.base_image_fixtures"]

PASSWORD = "a pass:word@with/odd?marks#[]%&'\"$ <>\\"
TRUST = {"POSTGRES_HOST_AUTH_METHOD": "trust"}


@pytest.fixture
def postgres(base_images: dict[str, str]) -> str:
    return base_images["postgres"]


def ask(container: Container, sql: str, **login: str) -> list[tuple[Any, ...]]:
    """Rows of a statement over TCP, once the server is up; a refused login is final."""
    options: Any = {"user": "postgres", "password": "secret", "dbname": "postgres"} | login

    def attempt() -> list[tuple[Any, ...]]:
        port = host_port(container, 5432)
        try:
            connection = psycopg2.connect(host="127.0.0.1", port=port, connect_timeout=5, **options)
        except psycopg2.OperationalError as error:
            if "authentication failed" in str(error):
                raise PermissionError(str(error)) from error
            raise
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
                return rows
        finally:
            connection.close()

    return eventually(attempt, psycopg2.OperationalError)


def initialised(container: Container) -> None:
    ask(container, "SELECT 1")


def test_the_postgres_image_states_its_contract(
    base_client: docker.DockerClient, postgres: str
) -> None:
    config = base_client.images.get(postgres).attrs["Config"]
    assert "5432/tcp" in config["ExposedPorts"]
    assert "/var/lib/postgresql/data" in config["Volumes"]
    assert config["StopSignal"] == "SIGINT"
    assert config["Cmd"] == ["postgres"]
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    environ = dict(each.split("=", 1) for each in config["Env"])
    assert environ["PGDATA"] == "/var/lib/postgresql/data"
    assert environ["LANG"] == "en_US.utf8"
    assert "/usr/lib/postgresql/17/bin" in environ["PATH"].split(":")
    assert not config["User"]


def test_postgres_has_its_user_programs_and_folders(
    base_containers: Containers, postgres: str
) -> None:
    script = (
        "id -u postgres; id -g postgres; stat -c '%a %U' /var/run/postgresql; "
        "for name in postgres initdb psql pg_dump pg_restore pg_basebackup pg_isready gosu; do "
        "command -v $name >/dev/null || exit 9; done; "
        "command -v docker-entrypoint.sh; ls -d /docker-entrypoint-initdb.d; "
        "gosu postgres id -un; postgres --version | cut -d ' ' -f 3 | cut -d . -f 1"
    )
    assert base_containers.output(postgres, ["bash", "-c", script]).splitlines() == [
        "999",
        "999",
        "3777 postgres",
        "/usr/local/bin/docker-entrypoint.sh",
        "/docker-entrypoint-initdb.d",
        "postgres",
        "17",
    ]


def test_a_database_without_a_password_is_refused(
    base_containers: Containers, postgres: str
) -> None:
    container = base_containers.start(postgres)
    assert container.wait()["StatusCode"] != 0
    assert "POSTGRES_PASSWORD" in container.logs().decode()


def test_a_value_and_its_file_together_are_refused(
    base_containers: Containers, postgres: str
) -> None:
    both = {"POSTGRES_PASSWORD": "secret", "POSTGRES_PASSWORD_FILE": "/secret"}
    container = base_containers.start(postgres, environment=both, files={"/secret": "secret"})
    assert container.wait()["StatusCode"] != 0
    assert "POSTGRES_PASSWORD_FILE" in container.logs().decode()


def test_settings_make_user_password_and_database(
    base_containers: Containers, postgres: str
) -> None:
    given = {"POSTGRES_USER": "alice", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "maps of 北京"}
    container = base_containers.start(postgres, environment=given, ports=loopback(5432))
    login = {"user": "alice", "password": PASSWORD, "dbname": "maps of 北京"}
    asked = (
        "SELECT current_user, current_database(), rolpassword ~ '^SCRAM' "
        "FROM pg_authid WHERE rolcanlogin"
    )
    assert ask(container, asked, **login) == [("alice", "maps of 北京", True)]
    with pytest.raises(PermissionError):
        ask(container, "SELECT 1", user="alice", password="wrong", dbname="maps of 北京")


def test_secret_files_make_user_password_and_database(
    base_containers: Containers, postgres: str
) -> None:
    names = {"USER": "alice", "PASSWORD": PASSWORD, "DB": "maps", "INITDB_ARGS": "--data-checksums"}
    container = base_containers.start(
        postgres,
        environment={f"POSTGRES_{name}_FILE": f"/secret-{name}" for name in names},
        files={f"/secret-{name}": value + "\n" for name, value in names.items()},
        ports=loopback(5432),
    )
    login = {"user": "alice", "password": PASSWORD, "dbname": "maps"}
    assert ask(container, "SHOW data_checksums", **login) == [("on",)]


def test_trust_needs_no_password(base_containers: Containers, postgres: str) -> None:
    container = base_containers.start(postgres, environment=TRUST, ports=loopback(5432))
    assert ask(container, "SELECT current_user", password="") == [("postgres",)]


def test_the_socket_needs_no_password(base_containers: Containers, postgres: str) -> None:
    given = {"POSTGRES_PASSWORD": "secret"}
    container = base_containers.start(postgres, environment=given, ports=loopback(5432))
    initialised(container)
    status, output = container.exec_run(["psql", "-U", "postgres", "-Atc", "SELECT 7"])
    assert (status, output) == (0, b"7\n")


def test_init_files_run_in_order_and_only_on_an_empty_folder(
    base_containers: Containers, postgres: str
) -> None:
    folder = "/docker-entrypoint-initdb.d/"
    insert = "INSERT INTO ran (what) VALUES ('{}');"
    psql = 'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c '
    # The first one also finds the server closed to the network.
    executed = f"#!/bin/bash\nset -e\nif pg_isready -q -h 127.0.0.1; then exit 9; fi\n{psql}"
    files: dict[str, str | bytes] = {
        f"{folder}10-table.sql": "CREATE TABLE ran (id serial, what text);",
        f"{folder}20-executed.sh*": f'{executed}"{insert.format("executed")}"\n',
        f"{folder}30-zipped.sql.gz": gzip.compress(insert.format("zipped").encode()),
        f"{folder}40-sourced.sh": f'{psql}"{insert.format("sourced")}"\n',
        f"{folder}50-ignored.txt": "nothing",
    }
    given = {"POSTGRES_PASSWORD": "secret"}
    container = base_containers.start(
        postgres, environment=given, files=files, ports=loopback(5432)
    )
    ran = [("executed",), ("zipped",), ("sourced",)]
    assert ask(container, "SELECT what FROM ran ORDER BY id") == ran
    container.stop(timeout=20)
    restarted(container)
    assert ask(container, "SELECT what FROM ran ORDER BY id") == ran


def test_a_failing_init_file_stops_the_start(base_containers: Containers, postgres: str) -> None:
    container = base_containers.start(
        postgres,
        environment={"POSTGRES_PASSWORD": "secret"},
        files={"/docker-entrypoint-initdb.d/wrong.sql": "SELECT 1/0;"},
    )
    assert container.wait()["StatusCode"] != 0
    assert "division by zero" in container.logs().decode()


@pytest.mark.parametrize("first", [["postgres"], []], ids=["named", "options only"])
def test_options_reach_the_server(
    base_containers: Containers, postgres: str, first: list[str]
) -> None:
    container = base_containers.start(
        postgres,
        [*first, "-c", "max_connections=33"],
        environment=TRUST,
        ports=loopback(5432),
    )
    assert ask(container, "SHOW max_connections") == [("33",)]


def test_another_command_runs_instead(base_containers: Containers, postgres: str) -> None:
    assert base_containers.output(postgres, ["bash", "-c", "echo $PG_MAJOR; id -u"]) == "17\n0"


def test_postgres_runs_as_its_user_on_a_read_only_root(
    base_containers: Containers, postgres: str
) -> None:
    volume = base_containers.volume()
    container = base_containers.start(
        postgres,
        environment={"POSTGRES_PASSWORD": "secret"},
        user="999:999",
        tmpfs={"/tmp": "", "/var/run/postgresql": "mode=1777"},
        volumes={volume: {"bind": "/var/lib/postgresql/data", "mode": "rw"}},
        ports=loopback(5432),
        **HARDENED,
    )
    assert ask(container, "SELECT 1") == [(1,)]


def test_postgres_started_as_root_drops_to_its_user(
    base_containers: Containers, postgres: str
) -> None:
    container = base_containers.start(postgres, environment=TRUST, ports=loopback(5432))
    initialised(container)
    status, output = container.exec_run(["stat", "-c", "%u", "/proc/1"])
    assert (status, output) == (0, b"999\n")


def test_contrib_extensions_are_there(base_containers: Containers, postgres: str) -> None:
    container = base_containers.start(
        postgres,
        ["postgres", "-c", "shared_preload_libraries=pg_stat_statements"],
        environment=TRUST,
        ports=loopback(5432),
    )
    ask(container, "CREATE EXTENSION pg_trgm")
    ask(container, "CREATE EXTENSION pg_stat_statements")
    assert ask(container, "SELECT similarity('mindgraph', 'mind graph') > 0.5") == [(True,)]
    assert ask(container, "SELECT count(*) > 0 FROM pg_stat_statements") == [(True,)]


def test_postgres_stops_cleanly(base_containers: Containers, postgres: str) -> None:
    container = base_containers.start(postgres, environment=TRUST, ports=loopback(5432))
    initialised(container)
    assert exit_code_after_stop(container) == 0
    assert "database system is shut down" in container.logs().decode()


def test_postgres_keeps_what_it_committed_before_a_kill(
    base_containers: Containers, postgres: str
) -> None:
    container = base_containers.start(postgres, environment=TRUST, ports=loopback(5432))
    ask(container, "CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")
    container.kill()
    restarted(container)
    assert ask(container, "SELECT sum(n) FROM kept") == [(5050,)]
