from collections.abc import Iterator

import pytest

from app.http.maintenance import Maintenance
from app.settings import Settings
from tests.databases import on_sqlite
from tests.http.browsers import Browser, Service, serving
from tests.people import ALICE


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"maintenance": True})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/api/auth/me"),
        ("GET", "/healthz/"),
        ("GET", "/nowhere"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/usage"),
        ("PUT", "/api/diagrams/1"),
        ("DELETE", "/api/diagrams/1"),
        ("OPTIONS", "/api/diagrams"),
    ],
)
def test_every_request_is_told_when_to_come_again(alice: Browser, method: str, path: str) -> None:
    answer = alice.request(method, path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == str(Maintenance.retry_after)
    assert answer.json()["error"] == "Maintenance"
    assert "x-request-id" in answer.headers


def test_no_request_touches_the_database(service: Service) -> None:
    browser = service.browser_of(ALICE)
    with service.statements() as seen:
        browser.post("/api/diagrams", json={"title": "t", "diagram_type": "mind_map", "spec": {}})
        browser.get("/api/diagrams")
        browser.post("/api/auth/logout")
    assert seen == []


def test_the_page_of_another_site_is_told_the_same(alice: Browser) -> None:
    answer = alice.post("/api/diagrams", headers={"origin": "https://elsewhere.org"})
    assert answer.json()["error"] == "Maintenance"


def test_it_is_alive_and_ready_and_says_that_it_is_closed(anybody: Browser) -> None:
    assert anybody.get("/healthz").status_code == 200
    answer = anybody.get("/readyz")
    assert (answer.status_code, answer.json()["maintenance"]) == (200, True)


@pytest.fixture
def in_front_of_nothing(empty: Settings) -> Iterator[Service]:
    with serving(empty.model_copy(update={"maintenance": True})) as running:
        yield running


def test_it_is_ready_in_front_of_a_database_that_is_still_being_made(
    in_front_of_nothing: Service,
) -> None:
    answer = in_front_of_nothing.browser().get("/readyz")
    assert answer.status_code == 200
    assert "schema" not in answer.json()["services"]


@on_sqlite
def test_no_checkpoint_is_made(service: Service) -> None:
    assert not (service.settings.data_dir / "mindgraph.db.checkpoint.lock").exists()
