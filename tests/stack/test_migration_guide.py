"""docs/migrate-from-sqlite.md does what it says: each command of it is run here, word for word."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import engine
from app.db.init import init_db
from tests import databases, samples, sources
from tests.cli import processes
from tests.places import CHECKOUT
from tests.servers import Servers

from . import guides
from .checkouts import certificates, with_environment
from .guides import Reader
from .stacks import Stack, bare_environment, env_format

DOCUMENT = CHECKOUT / "docs" / "migrate-from-sqlite.md"
WITH_STACK = [
    "Before you begin",
    "1. Close the doors",
    "2. Try it",
    "3. Move the file",
    "5. Open the doors",
    "6. Take over documents and searches",
    "Rows in quarantine",
    "Schema legacy",
    "Going back",
]
WITHOUT = ["Without Docker", "Into a schema of your own"]
# How `make` ends for any other code than 0.
OF_MAKE = 2
QUARANTINE = 3
# Of the document whose file is there.
OWNER = (72, "16100002664")
STORED = "植物的光合作用"
ADOPTED = "documents taken over: 59, 1 with their file and 58 as the text"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An old file, with those kinds of dirt in it that the document repairs, and a document's."""
    folder = tmp_path / "my old files 旧"
    stored = folder / "storage" / "knowledge_documents" / f"{OWNER[0]}" / "15_光合作用-1.txt"
    stored.parent.mkdir(parents=True)
    stored.write_text(STORED)
    no_language = samples.DIAGRAM.format("no-language", 1, "'of an old release'", "zh", "{}")
    forgotten = "UPDATE diagrams SET language = NULL WHERE id = 'no-language'"
    file = samples.unpack(folder / "mind graph 图.db")
    of_teacher = f"SELECT password_hash FROM users WHERE id = {samples.TEACHER.id}"
    # In no organization, as that of the file is closed.
    known = (
        f"UPDATE users SET password_hash = ({of_teacher}), organization_id = NULL"
        f" WHERE id = {OWNER[0]}"
    )
    return sources.make(file, *samples.DIRT[:-1], no_language, forgotten, known)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return with_environment(tmp_path)


@pytest.fixture
def stack(checkout: Path) -> Iterator[Stack]:
    """What `make` starts in the copy, which goes whatever happens."""
    with Stack(checkout=checkout) as stack:
        names = {"COMPOSE_PROJECT_NAME": stack.project, "CI": "true"}
        environ = {**bare_environment(), **names}
        subprocess.run(["make", "env"], cwd=checkout, env=environ, check=True)
        stack.env = dict(env_format.parse((checkout / ".env").read_text("utf-8"), {}))
        yield stack


class Client:
    """Somebody who talks to a service about what was in the file."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def log_in(self, login: str = samples.TEACHER.login) -> None:
        account = {"login": login, "password": samples.PASSWORD}
        answer = self._http.post("/api/auth/login", json=account)
        assert answer.status_code == 200, answer.text

    def titles(self) -> set[str]:
        answer = self._http.get("/api/diagrams?limit=100")
        assert answer.status_code == 200, answer.text
        return {one["title"] for one in answer.json()["items"]}

    def status_with_key(self) -> int:
        return self._http.get("/api/diagrams", headers=samples.BEARER).status_code

    def finds(self, text: str, mode: str) -> bool:
        """In a document whose file can be read back."""
        asked = {"query": text, "mode": mode}
        answer = self._http.post("/api/knowledge/search", json=asked)
        if answer.status_code != 200:
            return False
        ids = [one["document_id"] for one in answer.json()["hits"] if text in one["content"]]
        files = [self._http.get(f"/api/knowledge/documents/{one}/file") for one in ids]
        return any(one.status_code == 200 and text in one.text for one in files)

    def is_told_to_wait(self) -> bool:
        answer = self._http.get("/api/diagrams")
        return answer.status_code == 503 and answer.json()["error"] == "Maintenance"


def titles_in(file: Path) -> set[str]:
    statement = (
        f"SELECT title FROM diagrams WHERE user_id = {samples.TEACHER.id} AND NOT is_deleted"
    )
    return {title for (title,) in sources.select(file, statement)}


def report_of(file: Path) -> dict[str, Any]:
    for name in (f"{file.name}.import.json", f"{file.name}.import.html"):
        assert (file.parent / name).stat().st_size
    found: dict[str, Any] = json.loads((file.parent / f"{file.name}.import.json").read_text())
    return found


@contextmanager
def served(reader: Reader, block: guides.Block, log: Path) -> Iterator[Client]:
    """The service that a block of the document starts."""
    with guides.served(reader, block, log) as url, Client(url) as client:
        yield client


def test_each_block_of_the_guide_is_run_by_a_test_below() -> None:
    found = guides.blocks(DOCUMENT)
    headings = dict.fromkeys(block.heading for block in found if not block.assigns)
    assert list(headings) == WITH_STACK + WITHOUT
    everything = DOCUMENT.read_text(encoding="utf-8").count("```")
    assert everything == 2 * len(found)


def test_a_stack_takes_the_file_over_and_gives_it_back(
    stack: Stack, checkout: Path, file: Path, tmp_path: Path
) -> None:
    environ = {**bare_environment(), **certificates()}
    reader = Reader(DOCUMENT, checkout, {"OLD": str(file)}, environ)
    before = sources.state(file.parent)[file.name]
    titles = titles_in(file)

    reader.follow("Before you begin")
    assert (file.parent / "copy" / file.name).read_bytes() == before
    reader.follow("1. Close the doors")
    with Client(stack.url) as client:
        assert client.is_told_to_wait()

    said = reader.follow("2. Try it", OF_MAKE)
    assert "DRY RUN: nothing was changed. 7 rows would go to quarantine." in said
    assert "Error 3" in said
    assert report_of(file)["is_dry_run"]
    assert stack.sql("mindgraph_user", "SELECT count(*) FROM users") == "0"

    said = reader.follow("3. Move the file", OF_MAKE, OF_MAKE)
    assert said.count("IDENTICAL EXCEPT QUARANTINE: 7 rows") == 2
    assert report_of(file)["verdict"] == "identical except quarantine"
    with Client(stack.url) as client:
        assert client.is_told_to_wait()

    reader.follow("5. Open the doors")
    with Client(stack.url) as client:
        client.log_in()
        assert client.titles() == titles
        assert client.status_with_key() == 200

    said = reader.follow("6. Take over documents and searches")
    assert ADOPTED.replace("taken", "would be taken") in said
    assert ADOPTED in said

    said = reader.follow("Rows in quarantine")
    assert "put back: 6 rows; left in quarantine: 0" in said
    assert "text of 201 characters where 200 are allowed" in said
    assert stack.sql("mindgraph_user", "SELECT count(*) FROM diagrams WHERE length(id) < 36") == "5"
    assert "debate_messages" in reader.follow("Schema legacy")

    *steps, start = reader.of("Going back")
    for block in steps:
        done = reader.do(block)
        assert done.returncode == 0, done.stdout + done.stderr
    with served(reader, start, tmp_path / "run.log") as client:
        client.log_in()
        assert client.titles() == titles
        assert client.status_with_key() == 200
        client.log_in(OWNER[1])
        for mode in ("keyword", "semantic"):
            stack.wait(partial(client.finds, STORED, mode), f"{mode} search finds it", 120)
    assert sources.state(file.parent)[file.name] == before


def test_a_database_elsewhere_takes_the_file_over_without_docker(
    servers: Servers, checkout: Path, file: Path, tmp_path: Path
) -> None:
    with databases.on_server(servers, databases.BARE) as name:
        places = {"OLD": str(file), "URL": address(servers, name)}
        reader = Reader(DOCUMENT, checkout, places, processes.bare_environment())
        trial, move, adopt, run, retry = reader.of("Without Docker")
        for block in (trial, move):
            done = reader.do(block)
            assert done.returncode == QUARANTINE, done.stdout + done.stderr
        done = reader.do(adopt)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ADOPTED in done.stdout
        with served(reader, run, tmp_path / "run.log") as client:
            client.log_in()
            assert client.titles() == titles_in(file)
            assert client.status_with_key() == 200
        done = reader.do(retry)
        assert done.returncode == QUARANTINE, done.stdout + done.stderr
        assert "put back: 0 rows" in done.stdout


def test_a_schema_of_any_program_takes_the_file_over(
    servers: Servers, checkout: Path, file: Path
) -> None:
    with databases.on_server(servers, databases.BARE) as name:
        init_db(databases.settings_of(servers, name), seeds=False)
        places = {"OLD": str(file), "URL": address(servers, name)}
        reader = Reader(DOCUMENT, checkout, places, processes.bare_environment())
        assert "IDENTICAL" in reader.follow("Into a schema of your own", QUARANTINE)


def address(servers: Servers, name: str) -> str:
    settings = databases.settings_of(servers, name)
    return engine.url(settings, owner=True).render_as_string(hide_password=False)
