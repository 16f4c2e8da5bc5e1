"""A whole old database moved by the command, and used by the service afterwards."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from app.diagrams import indexing
from app.ops.migrate import connections
from app.settings import Settings
from tests import commands, databases, samples
from tests.http.browsers import Browser, Service, serving
from tests.people import Person
from tests.servers import HOST, Servers

# All rows of a table as the server writes them, in no order but that of the texts.
ROWS = "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM {} t"
TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema IN ('public', 'legacy') AND table_type = 'BASE TABLE' ORDER BY 1, 2
"""
# Diagrams of people whose school is neither locked nor has an end.
SERVED = """
SELECT d.id, d.user_id, d.title, d.diagram_type, d.language, d.spec
FROM diagrams d JOIN users u ON u.id = d.user_id JOIN organizations o ON o.id = u.organization_id
WHERE NOT d.is_deleted AND o.is_active AND o.expires_at IS NULL ORDER BY d.id LIMIT 40
"""
# What each import writes anew about itself, or the worker.
OWN = {("legacy", "import_reports"), ("public", "alembic_version"), ("public", "diagram_texts")}


@dataclass(frozen=True)
class Moved:
    """A file, the settings of the database that it was moved into, and what the command said."""

    file: Path
    settings: Settings
    report: dict[str, Any]
    output: str

    def in_file(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"{self.file.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, values).fetchall()

    def on_server(self, statement: str | sql.Composable) -> list[tuple[Any, ...]]:
        with (
            closing(
                psycopg2.connect(connections.dsn(self.settings), application_name="test")
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()


@contextmanager
def move(servers: Servers, file: Path) -> Iterator[Moved]:
    with databases.on_server(servers, databases.BARE) as name:
        settings = databases.settings_of(servers, name)
        report = file.with_suffix(".json")
        done = commands.run(
            *("import-sqlite", str(file), "--report", str(report)),
            environ=commands.environment_of(settings),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield Moved(file, settings, json.loads(report.read_text()), done.stdout)


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("old 旧")
    file = samples.unpack(folder / "mind graph.db")
    # Its program was stopped a while ago.
    os.utime(file, (1_700_000_000, 1_700_000_000))
    with move(servers, file) as made:
        yield made


@pytest.fixture
def service(moved: Moved, base: Settings, servers: Servers) -> Iterator[Service]:
    """The real service on what was moved."""
    settings = databases.settings_of(
        servers,
        moved.settings.database_name,
        **base.model_dump(exclude_unset=True),
        qdrant_url=f"http://{HOST}:{servers.qdrant_port}",
        qdrant_api_key=servers.qdrant_api_key,
    )
    with serving(settings) as running:
        yield running


def test_the_whole_file_is_in_postgresql_and_proved(moved: Moved) -> None:
    report = moved.report
    assert (report["verdict"], report["exit_code"], report["quarantined_total"]) == (
        "identical",
        0,
        0,
    )
    assert report["proof"]["problems"] == []
    assert moved.output.rstrip().endswith(
        "IDENTICAL: every row of the file is in PostgreSQL, and equal."
    )


def test_each_table_of_the_file_is_accounted_for_by_its_name(moved: Moved) -> None:
    names = {name for (name,) in moved.in_file("SELECT name FROM sqlite_schema WHERE type='table'")}
    index = {name for name in names if name.startswith("document_chunks_fts5")}
    told = {one["source"] for one in moved.report["proof"]["tables"]}
    assert told == names - index
    assert len(told) == 33
    assert {one["name"] for one in moved.report["left_out"]} >= index
    for one in moved.report["proof"]["tables"]:
        ((count,),) = moved.in_file(f'SELECT count(*) FROM "{one["source"]}"')
        assert one["rows"] == {"source": str(count), "target": str(count)}


def test_the_file_is_as_it_was(moved: Moved) -> None:
    assert moved.in_file("PRAGMA integrity_check") == [("ok",)]
    assert not moved.in_file("SELECT name FROM sqlite_schema WHERE name LIKE 'import%'")


def test_a_file_at_rest_is_read_where_it_is(moved: Moved) -> None:
    assert not [one for one in moved.report["remarks"] if "snapshot" in one]


def test_an_old_password_is_good_and_gets_the_hash_of_today(moved: Moved, service: Service) -> None:
    account = {"login": samples.TEACHER.login, "password": samples.PASSWORD}
    hashed = f"SELECT password_hash FROM users WHERE id = {samples.TEACHER.id}"
    assert moved.on_server(hashed)[0][0].startswith("$2b$04$")
    wrong = service.browser().post("/api/auth/login", json={**account, "password": "a wrong one"})
    assert wrong.status_code == 401
    assert service.browser().post("/api/auth/login", json=account).status_code == 200
    assert moved.on_server(hashed)[0][0].startswith("$argon2id$")
    assert service.browser().post("/api/auth/login", json=account).status_code == 200


def test_an_old_api_key_reads_and_writes(service: Service) -> None:
    listed = service.browser().get("/api/diagrams", headers=samples.BEARER)
    assert (listed.status_code, listed.json()["items"]) == (200, [])
    payload = {"title": "新图", "diagram_type": "mind_map", "spec": {"topic": "a", "children": []}}
    made = service.browser().post("/api/diagrams", json=payload, headers=samples.BEARER)
    assert made.status_code == 201, made.text
    listed = service.browser().get("/api/diagrams", headers=samples.BEARER)
    assert [one["id"] for one in listed.json()["items"]] == [made.json()["id"]]


def test_a_key_that_was_never_given_out_is_none(service: Service) -> None:
    answer = service.browser().get(
        "/api/diagrams", headers={"Authorization": f"Bearer {samples.KEY[:-1]}x"}
    )
    assert answer.status_code == 401


def test_the_report_tells_which_account_each_key_acts_for(moved: Moved) -> None:
    remarks = "\n".join(moved.report["remarks"])
    for prefix, number in moved.on_server("SELECT prefix, id FROM api_keys ORDER BY id"):
        assert f"the API key {prefix}... (" in remarks
        assert f"key-{number}@api-key.invalid" in remarks


def browser_of(service: Service, user_id: int) -> Browser:
    return service.browser_of(Person(user_id, "", "", None))


def test_every_diagram_is_served_as_the_file_has_it(moved: Moved, service: Service) -> None:
    for name, owner, title, kind, language, spec in moved.in_file(SERVED):
        answer = browser_of(service, owner).get(f"/api/diagrams/{name}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["title"], body["diagram_type"], body["language"]) == (title, kind, language)
        assert body["spec"] == json.loads(spec)


def test_diagrams_are_found_once_the_index_is_made(moved: Moved, service: Service) -> None:
    name, owner, title, *_ = moved.in_file(SERVED)[0]
    database = service.app.state.database
    browser = browser_of(service, owner)

    def found() -> list[str]:
        items = browser.get("/api/diagrams", params={"q": title, "limit": 100}).json()["items"]
        return [one["id"] for one in items]

    assert found() == []
    ((unindexed,),) = moved.on_server(
        "SELECT count(*) FROM diagrams d WHERE NOT is_deleted"
        " AND NOT EXISTS (SELECT FROM diagram_texts WHERE diagram_id = d.id)"
    )
    assert indexing.index_stale(database) == unindexed > 0
    assert name in found()


def test_statistics_add_up_to_the_sums_of_the_file(moved: Moved, service: Service) -> None:
    ((first, last, *sums),) = moved.in_file(
        "SELECT date(min(created_at)), date(max(created_at)), count(*), sum(input_tokens),"
        " sum(output_tokens), sum(total_tokens) FROM token_usage"
    )
    period = {"scope": "everybody", "from": first, "to": last, "time_zone": "UTC"}
    answer = browser_of(service, samples.ROOT.id).get("/api/usage/statistics", params=period)
    assert answer.status_code == 200, answer.text
    total = answer.json()["totals"]
    assert [total[one] for one in ("calls", "input_tokens", "output_tokens", "total_tokens")] == (
        sums
    )
    ((cost,),) = moved.in_file("SELECT sum(total_cost) FROM token_usage")
    assert total["total_cost"] == pytest.approx(cost)


def everything(moved: Moved) -> dict[tuple[str, str], Any]:
    """Of each table how many rows, and a hash of all of them."""
    return {
        (schema, name): moved.on_server(sql.SQL(ROWS).format(sql.Identifier(schema, name)))
        for schema, name in moved.on_server(TABLES)
        if (schema, name) not in OWN
    }


def test_what_is_exported_and_moved_again_is_the_same(
    moved: Moved, servers: Servers, tmp_path: Path
) -> None:
    file = tmp_path / "back 回.db"
    done = commands.run("export-sqlite", str(file), environ=commands.environment_of(moved.settings))
    assert done.returncode == 0, done.stdout + done.stderr
    with move(servers, file) as again:
        assert everything(again) == everything(moved)
