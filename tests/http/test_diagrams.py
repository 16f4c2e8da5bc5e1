import json
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.people import ALICE, BOB, CHARLIE, ROOT
from tests.places import CHECKOUT

MAP: dict[str, Any] = {
    "title": "光合作用 🌱",
    "diagram_type": "mind_map",
    "language": "zh",
    "spec": {"topic": "水 💧", "children": [{"text": "light"}, {"text": "👩🏽‍🔬"}], "x": -0.5},
}
SMALLEST = {"topic": ""}

# For a change of whatever is there.
ANY = {"if-match": "*"}


def save(browser: Browser, **changes: Any) -> str:
    answer = browser.post("/api/diagrams", json=MAP | changes)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def titles(browser: Browser) -> list[str]:
    return [item["title"] for item in browser.get("/api/diagrams").json()["items"]]


def send_spec(browser: Browser, spec_text: str) -> httpx.Response:
    """Saves a diagram whose spec is this JSON text."""
    body = json.dumps(MAP | {"spec": 0}).replace('"spec": 0', f'"spec": {spec_text}')
    headers = {"content-type": "application/json"}
    return browser.post("/api/diagrams", content=body.encode(), headers=headers)


def refusals_of(spec_text: str, browser: Browser) -> list[dict[str, Any]]:
    """What is wrong with a payload whose spec is this JSON text."""
    answer = send_spec(browser, spec_text)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload"), answer.text
    found: list[dict[str, Any]] = answer.json()["detail"]
    return found


def test_a_diagram_comes_back_as_it_was_saved(alice: Browser) -> None:
    made = alice.post("/api/diagrams", json=MAP).json()
    found = alice.get(f"/api/diagrams/{made['id']}").json()
    assert found == made
    assert {name: found[name] for name in MAP} == MAP
    assert found["created_at"] == found["updated_at"]
    assert found["created_at"].endswith(("Z", "+00:00"))


def test_the_example_of_the_walkthrough_comes_back_equal(alice: Browser) -> None:
    example = json.loads((CHECKOUT / "examples/mind-map.json").read_text(encoding="utf-8"))
    made = alice.post("/api/diagrams", json=example).json()
    found = alice.get(f"/api/diagrams/{made['id']}").json()
    assert {name: found[name] for name in example} == example


def test_a_replaced_diagram_is_the_new_one_everywhere(alice: Browser) -> None:
    made = save(alice)
    assert titles(alice) == [MAP["title"]]
    before = alice.get(f"/api/diagrams/{made}").json()
    after = alice.put(
        f"/api/diagrams/{made}", json=MAP | {"title": "新", "spec": SMALLEST}, headers=ANY
    ).json()
    assert alice.get(f"/api/diagrams/{made}").json() == after
    assert (after["title"], after["spec"]) == ("新", SMALLEST)
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] > before["updated_at"]
    assert titles(alice) == ["新"]


def test_a_deleted_diagram_is_gone_everywhere(alice: Browser) -> None:
    made = save(alice)
    kept = save(alice, title="kept")
    assert alice.delete(f"/api/diagrams/{made}").status_code == 204
    assert titles(alice) == ["kept"]
    for answer in (
        alice.get(f"/api/diagrams/{made}"),
        alice.put(f"/api/diagrams/{made}", json=MAP, headers=ANY),
        alice.delete(f"/api/diagrams/{made}"),
    ):
        assert (answer.status_code, answer.json()["error"]) == (404, "DiagramNotFound")
    assert alice.get(f"/api/diagrams/{kept}").is_success


@pytest.mark.parametrize("person", [BOB, CHARLIE, ROOT], ids=lambda person: person.login)
def test_a_stranger_finds_nothing_and_changes_nothing(
    service: Service, alice: Browser, person: Any
) -> None:
    made = save(alice)
    stranger = service.browser_of(person)
    unknown = stranger.get("/api/diagrams/00000000-0000-0000-0000-000000000000")
    for answer in (
        stranger.get(f"/api/diagrams/{made}"),
        stranger.put(f"/api/diagrams/{made}", json=MAP | {"title": "mine now"}, headers=ANY),
        stranger.delete(f"/api/diagrams/{made}"),
    ):
        assert answer.status_code == 404
        assert answer.json() == unknown.json()
    assert titles(stranger) == []
    assert alice.get(f"/api/diagrams/{made}").json()["title"] == MAP["title"]


def test_each_person_lists_only_their_own(alice: Browser, bob: Browser) -> None:
    save(alice, title="of alice")
    save(bob, title="of bob")
    assert titles(alice) == ["of alice"]
    assert titles(bob) == ["of bob"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/diagrams"),
        ("POST", "/api/diagrams"),
        ("GET", "/api/diagrams/1"),
        ("PUT", "/api/diagrams/1"),
        ("DELETE", "/api/diagrams/1"),
    ],
)
def test_nobody_gets_in_without_a_session(anybody: Browser, method: str, path: str) -> None:
    answer = anybody.request(method, path, json=MAP if method in {"POST", "PUT"} else None)
    assert (answer.status_code, answer.json()["error"]) == (401, "NotLoggedIn")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"title": ""}, ["body", "title"]),
        ({"title": "   "}, ["body", "title"]),
        ({"title": "x" * 201}, ["body", "title"]),
        ({"title": "nul\x00"}, ["body", "title"]),
        ({"title": "\ud83c"}, ["body", "title"]),
        ({"title": None}, ["body", "title"]),
        ({"diagram_type": "pie"}, ["body", "diagram_type"]),
        ({"language": "no language"}, ["body", "language"]),
        ({"spec": []}, ["body", "spec"]),
        ({"spec": "text"}, ["body", "spec"]),
        ({"spec": None}, ["body", "spec"]),
    ],
)
def test_a_broken_payload_is_refused_with_its_place(
    alice: Browser, changes: dict[str, Any], where: list[str]
) -> None:
    made = save(alice)
    for answer in (
        alice.post("/api/diagrams", json=MAP | changes),
        alice.put(f"/api/diagrams/{made}", json=MAP | changes, headers=ANY),
    ):
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
        assert [problem["where"] for problem in answer.json()["detail"]] == [where]
    assert titles(alice) == [MAP["title"]]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"title": 1'])
def test_what_is_no_json_object_is_refused(alice: Browser, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = alice.post("/api/diagrams", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.json()["error"] in {"InvalidPayload", "InvalidInput"}


@pytest.mark.parametrize(
    ("spec_text", "path"),
    [
        (r'{"topic": "", "a": [{"b": "nul\u0000"}]}', "$.a[0].b"),
        (r'{"topic": "", "nul\u0000": 1}', "$.nul"),
        (r'{"topic": "", "a": "\ud83c"}', "$.a"),
        (r'{"topic": "", "\udf31": 1}', "$.\\udf31"),
        ('{"topic": "", "a": NaN}', "$.a"),
        ('{"topic": "", "a": [1, Infinity]}', "$.a[1]"),
        ('{"topic": "", "a": -Infinity}', "$.a"),
        ('{"topic": "", "a": 1e999}', "$.a"),
        ('{"topic": "", "a": 9007199254740992}', "$.a"),
        ('{"topic": "", "a": -9007199254740992}', "$.a"),
        ('{"topic": "", "a": 1e23}', "$.a"),
        ('{"topic": "", "a": ' + "[" * 64 + "]" * 64 + "}", "$.a[0][0]"),
        ('{"topic": "", "a": "' + "x" * 513_000 + '"}', "$"),
    ],
    ids=[
        "nul",
        "nul key",
        "surrogate",
        "surrogate key",
        "nan",
        "infinity",
        "-infinity",
        "1e999",
        "2**53",
        "-2**53",
        "1e23",
        "65 levels",
        "501 KB",
    ],
)
def test_a_spec_that_one_of_the_engines_would_change_is_refused_with_its_path(
    alice: Browser, spec_text: str, path: str
) -> None:
    problem, *more = refusals_of(spec_text, alice)
    assert more == []
    assert problem["where"] == ["body", "spec"]
    assert problem["problem"].startswith(path)
    assert titles(alice) == []


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("mind_map", {}, "$"),
        ("mind_map", {"topic": "水", "children": [{"text": 1}]}, "$.children[0].text"),
        ("bridge_map", {"topic": "水"}, "$"),
        ("tree_map", {"nodes": [{"id": "a"}, {"id": "a"}]}, "$.nodes[1].id"),
    ],
)
def test_a_spec_that_is_none_of_its_kind_is_refused_with_its_path(
    alice: Browser, kind: str, spec: dict[str, Any], path: str
) -> None:
    answer = alice.post("/api/diagrams", json=MAP | {"diagram_type": kind, "spec": spec})
    assert answer.status_code == 422
    [problem] = answer.json()["detail"]
    assert problem["where"] == ["body", "spec"]
    assert problem["problem"].startswith(f"{path}: ")


@pytest.mark.parametrize(
    "spec",
    [
        SMALLEST,
        {"": ""},
        {"a": [[], {}, None, True, False, 0, -1, 1.5, 1.0, 1e-300, -1e15, 0.1 + 0.2]},
        {"largest": 2**53 - 1, "smallest": -(2**53) + 1},
        {"z": 1, "a": 2, "中": "文", "emoji 👨‍👩‍👧‍👦": "🇨🇳"},
        {"text": "\\ \" ' \n\t\r \u2028 \ufeff \x7f"},
        {"a" * 300: "b" * 1000},
    ],
    ids=["smallest", "empty key", "kinds", "integers", "keys", "characters", "long"],
)
def test_a_spec_of_any_other_kind_comes_back_equal(alice: Browser, spec: dict[str, Any]) -> None:
    spec = SMALLEST | spec
    made = save(alice, spec=spec)
    found = alice.get(f"/api/diagrams/{made}").json()["spec"]
    assert found == spec
    assert json.dumps(found, sort_keys=True) == json.dumps(spec, sort_keys=True)


def test_a_spec_that_no_parser_gets_to_the_end_of_is_refused(alice: Browser) -> None:
    answer = send_spec(alice, '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")
    assert answer.status_code in {400, 422}
    assert answer.json()["error"] in {"InvalidPayload", "InvalidInput"}


@pytest.mark.parametrize("deep", [62, 63])
def test_a_spec_may_have_64_levels(alice: Browser, deep: int) -> None:
    inner: Any = "text"
    for _ in range(deep - 1):
        inner = [inner]
    assert alice.get(f"/api/diagrams/{save(alice, spec=SMALLEST | {'a': inner})}").is_success


def test_a_declared_length_above_the_limit_is_refused_at_once(alice: Browser) -> None:
    answer = alice.post("/api/diagrams", content=b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")
    assert "1024 KB" in answer.json()["detail"]


def test_a_body_that_grows_above_the_limit_is_refused(alice: Browser) -> None:
    pieces = [b'{"title": "'] + [b"x" * 65_536] * 17
    answer = alice.post_in_pieces("/api/diagrams", pieces)
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")


def test_a_body_in_pieces_below_the_limit_is_saved(alice: Browser) -> None:
    body = json.dumps(MAP).encode()
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    assert alice.post_in_pieces("/api/diagrams", pieces).status_code == 201


def test_the_limits_are_settings(settings: Settings) -> None:
    small = settings.model_copy(
        update={"request_body_limit_kb": 16, "diagram_spec_limit_kb": 1, "diagram_node_limit": 2}
    )
    with serving(small) as service:
        browser = service.browser_of(ALICE)
        large = MAP | {"spec": {"topic": "x" * 1100}}
        assert browser.post("/api/diagrams", json=large).status_code == 422
        for nodes, status in ((2, 201), (3, 422)):
            many = MAP | {"spec": {"topic": "", "children": [""] * (nodes - 1)}}
            assert browser.post("/api/diagrams", json=many).status_code == status
        larger = MAP | {"spec": {"topic": "x" * 17_000}}
        assert browser.post("/api/diagrams", json=larger).status_code == 413


@pytest.mark.parametrize("name", ["%00", "a%2Fb", "x" * 37, "'; --", "中"])
def test_an_id_that_can_not_be_one_is_refused(alice: Browser, name: str) -> None:
    assert alice.get(f"/api/diagrams/{name}").status_code in {404, 422}
