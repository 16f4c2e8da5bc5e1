"""The status for administrators: the page and its twin of the API."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import app
from app.db import migrations
from app.settings import Settings
from tests.databases import Backend, on_postgresql
from tests.http.browsers import Browser, serving
from tests.http.test_api_keys import bearer
from tests.http.test_api_keys import make as make_key
from tests.http.uploads import upload
from tests.people import ROOT

HOSTILE = "<script>alert('1')</script>&\"'"


class Page(HTMLParser):
    """The rows of a page's tables, its list of problems, and the names of its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, str] = {}
        self.problems: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.styles: list[str] = []
        self._open: list[str] = []
        self._name = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "th":
            self._name = data
        elif inside == "td":
            self.rows[self._name] = self.rows.get(self._name, "") + data
        elif inside == "li":
            self.problems.append(data)
        elif inside == "style":
            self.styles.append(data)


@pytest.fixture
def report(settings: Settings) -> Path:
    settings.data_dir.mkdir(exist_ok=True)
    return settings.data_dir / "backup.json"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    change = {"backup_report": settings.data_dir / "backup.json", "revision": HOSTILE}
    return settings.model_copy(update=change)


def shown(browser: Browser) -> Page:
    answer = browser.get("/admin/status")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


def told(browser: Browser) -> dict[str, Any]:
    answer = browser.get("/api/admin/status")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


# Who sees it


@pytest.mark.parametrize("path", ["/admin/status", "/api/admin/status"])
def test_only_an_administrator_sees_it(
    anybody: Browser, alice: Browser, manager: Browser, path: str
) -> None:
    outcomes = [
        (answer.status_code, answer.json()["error"])
        for answer in (anybody.get(path), alice.get(path), manager.get(path))
    ]
    assert outcomes == [
        (401, "NotLoggedIn"),
        (403, "NotAnAdministrator"),
        (403, "NotAnAdministrator"),
    ]


def test_a_key_of_an_administrator_does_not_open_it(root: Browser, anybody: Browser) -> None:
    key = make_key(root)["key"]
    assert anybody.get("/admin/status", headers=bearer(key)).status_code == 403


# What it shows


def test_it_names_the_release_and_every_service(root: Browser, backend: Backend) -> None:
    status = told(root)
    assert status["version"] == app.__version__
    assert status["ready"] is True
    assert set(status["services"]) == {"database", "schema", "redis", "qdrant"}
    assert status["services"]["schema"]["version"] == migrations.head()
    rows = shown(root).rows
    assert rows["Version"] == app.__version__
    assert rows["database"].startswith(f"{backend} ")
    assert rows["schema"].startswith(migrations.head())
    assert {"redis", "qdrant"} <= rows.keys()


def test_it_counts_jobs_documents_sessions_and_bytes(root: Browser, alice: Browser) -> None:
    upload(alice, "rain falls")
    status = told(root)
    assert status["documents"]["states"]["queued"] == status["documents"]["waiting"] == 1
    assert status["queue"]["waiting"] == 1
    assert status["sessions"] == 2
    assert 0 < status["disk"]["free"] < status["disk"]["size"]
    rows = shown(root).rows
    assert rows["Documents queued"] == "1"
    assert rows["Jobs waiting, running"] == "1, 0"
    assert rows["Sessions"] == "2"
    assert re.fullmatch(r"[\d.]+ \w+ free of [\d.]+ \w+", rows["Disk of the data folder"])


@on_postgresql
def test_it_counts_the_connections_of_the_server(root: Browser) -> None:
    connections = told(root)["connections"]
    assert 1 <= connections["used"] <= connections["allowed"]
    assert re.fullmatch(r"\d+ of \d+", shown(root).rows["Connections"])


def test_without_a_worker_it_says_so(root: Browser) -> None:
    expected = ["worker: none was heard of in the last minute"]
    assert told(root)["problems"] == shown(root).problems == expected


def test_without_a_report_no_backup_is_known(root: Browser) -> None:
    assert told(root)["backup"] is None
    assert shown(root).rows["Backup"] == "no backup known"


def test_the_last_backup_is_shown(root: Browser, report: Path) -> None:
    made = {"finished_at": "2026-01-02T03:04:05Z", "kind": HOSTILE, "size": 5 * 1024**3}
    report.write_text(json.dumps(made))
    backup = told(root)["backup"]
    assert datetime.fromisoformat(backup["finished_at"]) == datetime(
        2026, 1, 2, 3, 4, 5, tzinfo=UTC
    )
    rows = shown(root).rows
    assert rows["Ended"] == "2026-01-02 03:04:05 UTC, well"
    assert (rows["Kind"], rows["Size"]) == (HOSTILE, "5.0 GB")


def test_a_backup_that_failed_is_a_problem(root: Browser, report: Path) -> None:
    report.write_text(json.dumps({"finished_at": "2026-01-02T03:04:05Z", "ok": False}))
    assert "backup: the last one failed" in told(root)["problems"]
    assert shown(root).rows["Ended"].endswith("FAILED")


def test_a_report_that_can_not_be_read_is_a_problem(root: Browser, report: Path) -> None:
    report.write_text("<b>none</b>")
    [problem] = [one for one in told(root)["problems"] if one.startswith("backup: ")]
    assert str(report) in problem
    assert problem in shown(root).problems


@on_postgresql
def test_what_is_down_is_a_problem_and_the_rest_is_shown(
    settings: Settings, closed_port: int
) -> None:
    change = {"qdrant_url": f"http://127.0.0.1:{closed_port}"}
    with serving(settings.model_copy(update=change)) as service:
        root = service.browser_of(ROOT)
        status, page = told(root), shown(root)
    assert status["ready"] is False
    assert [one for one in page.problems if one.startswith("qdrant: ")]
    assert page.rows["Documents queued"] == "0"


# The page itself


def test_whatever_stands_in_it_is_text(root: Browser) -> None:
    answer = root.get("/admin/status")
    assert "<script" not in answer.text
    page = Page(answer.text)
    assert page.rows["Revision"] == HOSTILE
    assert page.elements <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li"),
        *("table", "tr", "th", "td"),
    }
    assert page.attributes <= {"lang", "charset", "name", "content", "class", "scope"}


def test_it_may_load_nothing_and_run_nothing(root: Browser) -> None:
    answer = root.get("/admin/status")
    rules = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    [style] = Page(answer.text).styles
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{allowed}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
