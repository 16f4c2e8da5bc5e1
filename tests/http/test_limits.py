"""How many requests one may send, and who is meant by one."""

from collections.abc import Iterator

import httpx
import pytest

from app.cache.limits import Rule
from app.http import limiting
from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.people import ALICE, BOB

PROXY = "203.0.113.7"


@pytest.fixture
def limited(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with limits that a test reaches."""
    monkeypatch.setattr(limiting, "ACCOUNT", Rule("account", 3, 3_600))
    monkeypatch.setattr(limiting, "ANONYMOUS", Rule("anonymous", 4, 3_600))
    monkeypatch.setattr(limiting, "ADDRESS", Rule("address", 5, 3_600))
    return settings.model_copy(update={"rate_limits": True})


@pytest.fixture
def strict(limited: Settings) -> Iterator[Service]:
    with serving(limited) as service:
        yield service


@pytest.fixture
def behind_a_proxy(limited: Settings) -> Iterator[Service]:
    networks = Settings.model_validate({"trusted_proxies": f"{PROXY}, 10.0.0.0/8"}).trusted_proxies
    with serving(limited.model_copy(update={"trusted_proxies": networks})) as service:
        yield service


def statuses(browser: Browser, times: int, path: str = "/api/auth/me", **headers: str) -> list[int]:
    return [browser.get(path, headers=headers).status_code for _ in range(times)]


def test_an_account_has_so_many_requests(strict: Service) -> None:
    alice = strict.browser_of(ALICE)
    answers = [alice.get("/api/auth/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"].split(";t=")[0] for answer in answers] == [
        '"account";r=2',
        '"account";r=1',
        '"account";r=0',
        '"account";r=0',
    ]
    refused = answers[-1]
    assert refused.json()["error"] == "RateLimited"
    assert 1_190 <= int(refused.headers["retry-after"]) <= 1_200
    assert refused.headers["ratelimit-policy"] == ('"address";q=5;w=3600, "account";q=3;w=3600')


def test_a_second_session_is_the_same_account(strict: Service) -> None:
    assert statuses(strict.browser_of(ALICE), 3) == [200] * 3
    assert statuses(strict.browser_of(ALICE), 1) == [429]
    assert statuses(strict.browser_of(BOB), 1) == [200]


def test_an_address_has_so_many_requests_whoever_sends_them(strict: Service) -> None:
    assert statuses(strict.browser_of(ALICE), 3) == [200] * 3
    assert statuses(strict.browser_of(BOB), 3) == [200, 200, 429]


def test_guesses_are_counted(strict: Service) -> None:
    anybody = strict.browser()
    anybody.cookies.set("mindgraph_session", "guess", domain="mindgraph.test", path="/")
    assert statuses(anybody, 5) == [401] * 4 + [429]
    assert statuses(strict.browser(), 1, authorization="Bearer mg_guess") == [429]


def test_bodies_that_cannot_be_read_are_counted(strict: Service) -> None:
    anybody = strict.browser()
    answers = [anybody.post("/api/auth/login", content=b"{") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [422] * 4 + [429]
    assert answers[-1].headers["retry-after"]


def test_the_address_that_a_stranger_claims_is_not_believed(strict: Service) -> None:
    anybody = strict.browser()
    claims = [{"x-forwarded-for": f"198.51.100.{at}"} for at in range(5)]
    found = [anybody.get("/api/auth/me", headers=claim).status_code for claim in claims]
    assert found == [401] * 4 + [429]


def ask(service: Service, forwarded: str, peer: str = PROXY) -> httpx.Response:
    browser = service.browser(peer=peer)
    return browser.get("/api/auth/me", headers={"x-forwarded-for": forwarded})


def test_the_address_that_a_trusted_proxy_names_is_believed(behind_a_proxy: Service) -> None:
    def of(address: str) -> list[int]:
        return [ask(behind_a_proxy, address).status_code for _ in range(5)]

    assert of("198.51.100.1") == [401] * 4 + [429]
    assert of("198.51.100.2") == [401] * 4 + [429]


def test_what_a_client_puts_before_the_proxy_s_word_is_not_believed(
    behind_a_proxy: Service,
) -> None:
    found = [ask(behind_a_proxy, f"192.0.2.{at}, 198.51.100.1").status_code for at in range(5)]
    assert found == [401] * 4 + [429]
    assert ask(behind_a_proxy, "192.0.2.9, 198.51.100.2, 10.1.2.3").status_code == 401


def test_a_peer_that_is_no_trusted_proxy_is_not_believed(behind_a_proxy: Service) -> None:
    found = [
        ask(behind_a_proxy, f"198.51.100.{at}", peer="192.0.2.1").status_code for at in range(5)
    ]
    assert found == [401] * 4 + [429]


def test_a_network_of_ipv6_is_one_client(behind_a_proxy: Service) -> None:
    found = [ask(behind_a_proxy, f"2001:db8::{at}").status_code for at in range(5)]
    assert found == [401] * 4 + [429]
    assert ask(behind_a_proxy, "2001:db8:0:1::1").status_code == 401


def test_without_redis_only_sessions_are_missed(limited: Settings, closed_port: int) -> None:
    down = limited.model_copy(update={"redis_port": closed_port})
    with serving(down) as service:
        # Nobody's requests are counted, and nobody is refused for their number.
        assert statuses(service.browser(), 6) == [401] * 6
        failed = service.browser().get("/readyz").json()["failed_open"]
        assert failed["limits"] >= 6


def test_a_spoken_captcha_is_asked_for_less_often(
    strict: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "SPOKEN", Rule("spoken", 1, 3_600))
    anybody = strict.browser()
    answers = [
        anybody.post("/api/auth/captcha", json={"kind": kind})
        for kind in ("audio", "audio", "image")
    ]
    assert [answer.status_code for answer in answers] == [201, 429, 201]
    assert answers[1].headers["ratelimit-policy"] == '"spoken";q=1;w=3600'
