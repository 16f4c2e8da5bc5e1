from typing import Any

import httpx
import pytest

from tests.http.browsers import Browser
from tests.http.test_accounts import NEWCOMER
from tests.http.test_captchas import error_of
from tests.people import ALICE, BOB

EMOJIS = ["🐼", "👩🏽‍🔬", "👨‍👩‍👧‍👦", "🇨🇳", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️‍🔥", "☺️", "#️⃣", "⛹🏽‍♂️", "👁️‍🗨️", "☯", "🀄", "㊗️"]
NO_EMOJIS = [
    "",
    "a",
    "1",
    "中",
    "。",
    "①",
    "👩👩",
    "🐼a",
    "👩‍",
    "\u200d",
    "\ufe0f",
    "🇨🇳🇨🇳",
    "🇨",
    "<b>",
]


def change_me(browser: Browser, payload: Any) -> httpx.Response:
    return browser.patch("/api/auth/me", json=payload)


def test_what_is_given_is_changed_and_the_rest_stays(alice: Browser, bob: Browser) -> None:
    before = alice.get("/api/auth/me").json()
    assert change_me(alice, {"avatar": "🐼"}).json() == before | {"avatar": "🐼"}
    changed = before | {"avatar": "🐼", "name": "Alice"}
    assert change_me(alice, {"name": " Alice "}).json() == changed
    assert change_me(alice, {}).json() == changed
    assert alice.get("/api/auth/me").json() == changed
    assert bob.get("/api/auth/me").json()["name"] == BOB.name


def test_a_name_and_an_avatar_can_be_taken_away(alice: Browser) -> None:
    change_me(alice, {"avatar": "🐼"})
    shown = change_me(alice, {"name": None, "avatar": None}).json()
    assert (shown["name"], shown["avatar"]) == (None, None)


def test_an_avatar_is_an_emoji(alice: Browser) -> None:
    kept = [change_me(alice, {"avatar": avatar}).json().get("avatar") for avatar in EMOJIS]
    assert kept == EMOJIS


def test_an_avatar_is_nothing_but_one_emoji(alice: Browser) -> None:
    for avatar in NO_EMOJIS:
        assert error_of(change_me(alice, {"avatar": avatar})) == (422, "InvalidPayload"), avatar
    answer = alice.post("/api/auth/register", json=NEWCOMER | {"avatar": "Dora"})
    assert error_of(answer) == (422, "InvalidPayload")


@pytest.mark.parametrize(
    "payload",
    [{"name": "x" * 101}, {"name": 5}, {"name": "nul\x00"}, {"avatar": "🐼" * 51}, [], "x", None],
)
def test_a_profile_that_can_not_be_one_is_refused(alice: Browser, payload: Any) -> None:
    assert error_of(change_me(alice, payload)) == (422, "InvalidPayload")


def test_nobody_becomes_somebody_else_by_a_profile(alice: Browser) -> None:
    before = alice.get("/api/auth/me").json()
    wishes = {"role": "admin", "id": BOB.id, "login": BOB.login, "organization_id": 2}
    assert change_me(alice, wishes).json() == before
    assert (before["id"], before["role"]) == (ALICE.id, "user")


@pytest.mark.parametrize("password", ["dora@school.org", " DORA@school.org"])
def test_nobody_registers_with_the_login_name_as_password(alice: Browser, password: str) -> None:
    answer = alice.post("/api/auth/register", json=NEWCOMER | {"password": password})
    assert error_of(answer) == (422, "InvalidPayload")
    assert answer.json()["detail"][0]["where"] == ["body", "password"]
