"""`mindgraph export-sqlite`, and the embedded service on what it makes."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests import commands, exports
from tests.cli.processes import bare_environment, running
from tests.databases import on_postgresql
from tests.exports import query
from tests.http.browsers import serving
from tests.people import ALICE, BOB, PASSWORD, Person
from tests.places import CHECKOUT
from tests.sources import state

pytestmark = on_postgresql

# The real command, ended by SIGKILL when it is about to call a function.
KILLED = """
import importlib, os, signal, sys
from app.cli.main import main

module, name = sys.argv.pop(1).rsplit(".", 1)
setattr(importlib.import_module(module), name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
sys.exit(main())
"""


def export(settings: Settings, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environ = commands.environment_of(settings)
    return commands.run("export-sqlite", str(file), *options, environ=environ)


@contextmanager
def logged_in(url: str, person: Person) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        answer = client.post("/api/auth/login", json={"login": person.login, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        yield client


def found(client: httpx.Client, words: str) -> list[str]:
    answer = client.get("/api/diagrams", params={"q": words})
    return [one["title"] for one in answer.json()["items"]]


def test_the_embedded_service_goes_on_with_the_file(settings: Settings, tmp_path: Path) -> None:
    spec = {"topic": "Photosynthesis 光合作用", "children": []}
    new = {"title": "植物", "diagram_type": "mind_map", "language": "zh", "spec": spec}
    with serving(settings) as service:
        alice = service.browser_of(ALICE)
        created: dict[str, Any] = alice.post("/api/diagrams", json=new).json()
        place = f"/api/diagrams/{created['id']}"
        before = alice.get(place)
        exports.keep(settings)
    (tmp_path / "there").mkdir()
    done = export(settings, tmp_path / "there/mindgraph.db")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^diagrams +1$", done.stdout, re.M)
    assert re.search(r"^legacy\.users +1  from legacy\.users$", done.stdout, re.M)
    assert re.search(r"^Spaces +2  from legacy\.Spaces$", done.stdout, re.M)
    assert re.search(r"mindgraph\.db: [\d,]+ rows, \d+\.\d MB, ", done.stdout)
    assert done.stdout.split("\n")[-2].startswith("IDENTICAL: ")

    environ = bare_environment(
        APP_PORT=0, CAPTCHA_ENABLED="false", DATA_DIR=tmp_path / "there", SEED_DEMO="true"
    )
    with running("run", environ=environ, log=tmp_path / "said") as embedded:
        url = embedded.url()
        with logged_in(url, ALICE) as client:
            after = client.get(place)
            assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])
            commands.wait_until(lambda: found(client, "光合") == ["植物"], "it is found")
            changed = client.patch(
                place, json={"title": "new"}, headers={"if-match": after.headers["etag"]}
            )
            assert changed.status_code == 200, changed.text
        with logged_in(url, BOB) as client:
            assert client.get(place).status_code == 404
        assert embedded.stop(signal.SIGINT) == 0, embedded.said()
        assert "Traceback" not in embedded.said()


@pytest.mark.parametrize(
    "step",
    ["export_tables.plan", "export_rows._index", "export._prove", "export_files._publish"],
)
def test_a_kill_leaves_no_file_and_the_next_run_makes_it(
    settings: Settings, tmp_path: Path, step: str
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    file = folder / "new.db"
    arguments = [sys.executable, "-c", KILLED, f"app.ops.migrate.{step}"]
    killed = subprocess.run(
        [*arguments, "export-sqlite", str(file)],
        env=commands.environment_of(settings),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not file.exists()
    assert [one.name for one in folder.iterdir()] == ["new.db.partial"]
    done = export(settings, file)
    assert done.returncode == 0, done.stderr
    assert [one.name for one in folder.iterdir()] == ["new.db"]
    assert query(file, "SELECT count(*) FROM users") == [(4,)]


def test_a_file_that_is_there_is_refused_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "mine.db").write_text("mine")
    before = state(folder)
    done = export(settings, folder / "mine.db")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "mine.db is there already; name a new file" in done.stderr
    assert state(folder) == before


def test_a_wrong_address_is_refused_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    done = export(settings, tmp_path / "new.db", "--from", "mysql://u:hidden@host/name")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--from is no address" in done.stderr
    assert "hidden" not in done.stderr
