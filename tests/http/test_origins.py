"""Requests from pages of other sites."""

import pytest

from app.settings import Settings, SettingsError, load
from tests.http.browsers import Browser, serving
from tests.people import ALICE

HOST = "mindgraph.test"
NAME = {"name": "changed"}
REFUSED = (403, "CrossSiteRequest")


def change(browser: Browser, **headers: str) -> tuple[int, str | None]:
    answer = browser.post("/api/auth/logout", headers=headers)
    return answer.status_code, answer.json()["error"] if answer.content else None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"},
        {"sec-fetch-site": "none"},
        {"origin": f"http://{HOST}"},
        {"origin": f"HTTP://{HOST.upper()}"},
    ],
    ids=["a program", "a page of ours", "the address bar", "an older browser", "capitals"],
)
def test_these_may_change_something(alice: Browser, headers: dict[str, str]) -> None:
    assert change(alice, **headers) == (204, None)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.test"},
        {"sec-fetch-site": "same-site", "origin": f"http://blog.{HOST}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "nonsense"},
        {"origin": "https://evil.test"},
        {"origin": f"http://{HOST}.evil.test"},
        {"origin": f"http://{HOST}:8080"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": ""},
    ],
)
def test_other_sites_may_not(alice: Browser, headers: dict[str, str]) -> None:
    assert change(alice, **headers) == REFUSED
    assert alice.get("/api/auth/me").is_success


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_method_that_changes_something_is_forgotten(alice: Browser, method: str) -> None:
    answer = alice.request(method, "/api/diagrams", headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["error"]) == REFUSED


def test_other_sites_may_link_here(alice: Browser) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": "https://other.test"}
    assert alice.get("/api/auth/me", headers=headers).is_success


def test_a_site_that_is_trusted_may_change_something(settings: Settings) -> None:
    trusting = settings.model_copy(update={"trusted_origins": ("https://app.school.org",)})
    with serving(trusting) as service:
        trusted = {"sec-fetch-site": "cross-site", "origin": "https://app.school.org"}
        other = trusted | {"origin": "https://app.school.org.evil.test"}
        assert change(service.browser_of(ALICE), **trusted) == (204, None)
        assert change(service.browser_of(ALICE), **other) == REFUSED


@pytest.mark.parametrize("origin", ["app.school.org", "https://a.org/path", "*", "https://u@a.org"])
def test_a_trusted_origin_that_is_none_is_refused_at_start(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"TRUSTED_ORIGINS.*https://app\.school\.org"):
        load({"TRUSTED_ORIGINS": f"https://good.org, {origin}"})
