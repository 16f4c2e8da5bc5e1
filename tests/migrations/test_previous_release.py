"""Going back is starting the old image: the previous release's code on this release's schema."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import engine as engines
from app.db import migrations
from app.db.session import Database
from app.diagrams import service as diagrams
from app.settings import Settings
from tests import commands
from tests.cli.processes import running
from tests.migrations import previous
from tests.migrations.schemas import connected
from tests.people import ALICE, PASSWORD

pytestmark = pytest.mark.skipif(
    not previous.is_there(),
    reason="the code of the previous release is in the history: git fetch --unshallow",
)

MAP = {
    "title": "from the old release",
    "diagram_type": "mind_map",
    "language": "zh",
    "spec": {"topic": "水", "children": [{"text": "光合作用"}]},
}
NEWCOMER = {
    "login": "dora@school.org",
    "password": "a long enough one",
    "invitation_code": "DEMO-A1B2C",
}


@pytest.fixture
def old(settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    """The previous release, serving this release's database."""
    code = previous.unpack(tmp_path / "code")
    environ = commands.environment_of(settings) | {
        "APP_PORT": "0",
        "PYTHONPATH": str(code),
        "WEB_WORKERS": "1",
    }
    with running(
        "serve",
        environ=environ,
        log=tmp_path / "log",
        program=(sys.executable, "-m", "app"),
        cwd=code,
    ) as server:
        url = server.url()
        # What runs is really the old code, which doesn't know the revision.
        assert re.search("a newer release has prepared the database", server.said())
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            yield client


def expect(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_the_previous_release_does_its_work_on_this_schema(
    old: httpx.Client, settings: Settings
) -> None:
    expect(old.post("/api/auth/register", json=NEWCOMER), 201)
    expect(old.post("/api/auth/login", json={"login": ALICE.login, "password": PASSWORD}), 200)
    kept = expect(old.post("/api/diagrams", json=MAP), 201)["id"]
    gone = expect(old.post("/api/diagrams", json=MAP), 201)["id"]
    changed = MAP | {"title": "changed"}
    # Whichever release wants to know what is overwritten.
    answer = old.put(f"/api/diagrams/{kept}", json=changed, headers={"if-match": "*"})
    expect(answer, 200)
    expect(old.delete(f"/api/diagrams/{gone}"), 204)
    listed = expect(old.get("/api/diagrams"), 200)["items"]
    assert [one["title"] for one in listed] == ["changed"]

    with connected(settings) as connection:
        assert migrations.current(connection) == migrations.head()
        assert migrations.differences(connection) == []
    database = Database(engines.build(settings, name="test", threads=1))
    try:
        with database.read() as session:
            found = diagrams.require(session, ALICE.id, kept)
        assert (found.title, found.spec) == ("changed", MAP["spec"])
    finally:
        database.close()
