"""The small parts of app/openai: addresses, turns, estimates, Retry-After."""

from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
import tenacity

from app import clock
from app.embedders.nano import Nano
from app.openai import addresses, estimates, patience
from app.openai.pace import Pace
from app.openai.patience import BACKGROUND, INTERACTIVE, Failed, Patience


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://host", "http://host/v1/embeddings"),
        ("http://host:8080/", "http://host:8080/v1/embeddings"),
        ("https://host/v1", "https://host/v1/embeddings"),
        ("https://host/v1/", "https://host/v1/embeddings"),
        ("https://host/gateway", "https://host/gateway/v1/embeddings"),
        ("https://host/api/paas/v4/", "https://host/api/paas/v4/embeddings"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai/embeddings"),
        ("https://host/v1?api-version=2", "https://host/v1/embeddings?api-version=2"),
    ],
)
def test_an_address_may_lack_the_version_and_end_in_a_slash(url: str, address: str) -> None:
    assert addresses.below(addresses.base(url), "embeddings") == httpx.URL(address)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("http://llm.localhost", True),
        ("http://localhost.example", False),
        ("http://10.0.0.1", False),
    ],
)
def test_no_proxy_leads_to_this_machine(url: str, here: bool) -> None:
    assert addresses.is_here(httpx.URL(url)) is here


def test_turns_are_given_out_at_a_distance_and_not_too_far_ahead() -> None:
    pace = Pace(60, clock=lambda: 50.0)
    assert [pace.take(2.0) for _ in range(4)] == [
        (0.0, True),
        (1.0, True),
        (2.0, True),
        (3.0, False),
    ]
    assert pace.take(3.0) == (3.0, True)


def test_without_a_limit_every_turn_is_now() -> None:
    pace = Pace(None)
    assert {pace.take(0.0) for _ in range(100)} == {(0.0, True)}


SAMPLES = [
    "The knowledge space finds documents by what they mean, in both languages.",
    "知识空间按意思检索文档，两种语言都可以。",
    "PostgreSQL 17 的 shared_buffers 默认是 128MB (see docs).",
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "Поиск документов по смыслу на двух языках",
    "def embed(texts: list[str]) -> Vector: return np.array(texts)",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_an_estimate_is_rather_high(text: str) -> None:
    embedder = Nano(1)
    real = embedder.count_tokens(text) - embedder.count_tokens("")
    embedder.close()
    assert real <= estimates.tokens(text) <= 4 * real + estimates.MARKS


def test_an_estimate_grows_with_the_text() -> None:
    assert estimates.tokens("") == estimates.MARKS
    assert estimates.tokens("知识") == estimates.MARKS + 2
    assert estimates.tokens("x" * 35_000) >= 10_000
    assert estimates.tokens("a知b") >= estimates.MARKS + 3


# Patience


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3),
        ("0.2", 1),
        (" 7 ", 7),
        ("999999", 3_600),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("9" * 400, 3_600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_the_servers_wish_to_wait_is_read(value: str | None, seconds: int | None) -> None:
    assert patience.retry_after(value) == seconds


def test_the_servers_wish_may_be_a_moment() -> None:
    told = patience.retry_after(format_datetime(clock.now() + timedelta(minutes=5), usegmt=True))
    assert told is not None
    assert 200 < told <= 300


def waits(given: Patience, error: Failed) -> list[float]:
    """The seconds that it would sleep when every attempt raises `error`."""
    slept: list[float] = []

    def attempt() -> None:
        raise error

    retrying = given.retrying()
    retrying.sleep = slept.append
    with pytest.raises(Failed):
        retrying(attempt)
    return slept


@pytest.mark.parametrize("given", [INTERACTIVE, BACKGROUND])
def test_it_gives_up_after_its_attempts(given: Patience) -> None:
    assert isinstance(given.retrying(), tenacity.Retrying)
    slept = waits(given, Failed("down"))
    assert len(slept) == given.attempts - 1
    assert all(0 <= seconds <= given.longest_wait_s for seconds in slept)


def test_it_waits_as_long_as_the_server_asks_for() -> None:
    slept = waits(BACKGROUND, Failed("down", retry_after=15))
    assert len(slept) == BACKGROUND.attempts - 1
    assert all(15 <= seconds <= BACKGROUND.longest_wait_s for seconds in slept)


def test_it_gives_up_at_once_when_the_server_asks_for_too_much() -> None:
    assert waits(BACKGROUND, Failed("down", retry_after=21)) == []
    assert waits(INTERACTIVE, Failed("down", retry_after=2)) == []
