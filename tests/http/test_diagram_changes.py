"""Changes that lose no other change: ETag, If-Match, and what is a new version."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.browsers import Browser, Service
from tests.http.test_diagrams import ANY, MAP, save
from tests.people import ALICE

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def picture(content: bytes = PNG, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def spec(topic: str) -> dict[str, Any]:
    return {"topic": topic, "children": []}


def test_a_change_needs_to_say_which_version_it_changes(alice: Browser) -> None:
    made = save(alice)
    for answer in (
        alice.put(f"/api/diagrams/{made}", json=MAP),
        alice.patch(f"/api/diagrams/{made}", json={"title": "new"}),
        alice.post(f"/api/diagrams/{made}/versions/1/restore"),
    ):
        assert (answer.status_code, answer.json()["error"]) == (428, "VersionRequired")
        assert "If-Match" in answer.json()["detail"]
    assert alice.get(f"/api/diagrams/{made}").json()["title"] == MAP["title"]


def test_a_change_of_what_was_read_is_made_once(alice: Browser) -> None:
    made = alice.post("/api/diagrams", json=MAP)
    etag = made.headers["etag"]
    assert made.json()["version"] == 1
    path = f"/api/diagrams/{made.json()['id']}"
    first = alice.put(path, json=MAP | {"title": "first"}, headers={"if-match": etag})
    assert (first.status_code, first.json()["version"]) == (200, 2)
    second = alice.put(path, json=MAP | {"title": "second"}, headers={"if-match": etag})
    assert second.status_code == 412
    assert second.json() == {
        "error": "VersionMismatch",
        "detail": second.json()["detail"],
        "current_version": 2,
    }
    assert second.headers["etag"] == '"2"'
    assert alice.get(path).json()["title"] == "first"
    third = alice.put(path, json=MAP | {"title": "3"}, headers={"if-match": second.headers["etag"]})
    assert third.json()["version"] == 3
    assert alice.get(path).headers["etag"] == third.headers["etag"]


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("*", 200),
        (" * ", 200),
        ('"1"', 200),
        ('W/"1"', 200),
        ('"1-gzip"', 200),
        ('"7", "1"', 200),
        ('"2"', 412),
        ('"11"', 412),
        ('"01x"', 412),
        ("1", 412),
        ('""', 412),
        ("nonsense", 412),
        ('"99999999999999999999"', 412),
    ],
)
def test_a_tag_is_understood_as_proxies_pass_it_on(alice: Browser, tag: str, status: int) -> None:
    made = save(alice)
    answer = alice.patch(
        f"/api/diagrams/{made}", json={"title": "changed"}, headers={"if-match": tag}
    )
    assert answer.status_code == status, answer.text


def test_a_deletion_and_a_pin_may_say_which_version_they_mean(alice: Browser) -> None:
    path = f"/api/diagrams/{save(alice)}"
    old, new = {"if-match": '"4"'}, {"if-match": '"1"'}
    for answer in (
        alice.put(f"{path}/pin", headers=old),
        alice.delete(f"{path}/pin", headers=old),
        alice.delete(path, headers=old),
    ):
        assert (answer.status_code, answer.json()["current_version"]) == (412, 1)
    assert alice.put(f"{path}/pin", headers=new).status_code == 204
    assert alice.delete(path, headers=new).status_code == 204
    assert alice.get(path).status_code == 404


def test_who_has_the_newest_is_told_so_and_nothing_else(alice: Browser) -> None:
    path = f"/api/diagrams/{save(alice)}"
    etag = alice.get(path).headers["etag"]
    for tag in (etag, f"W/{etag}", f'"0", {etag}', "*"):
        answer = alice.get(path, headers={"if-none-match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    alice.patch(path, json={"title": "new"}, headers=ANY)
    answer = alice.get(path, headers={"if-none-match": etag})
    assert (answer.status_code, answer.json()["title"]) == (200, "new")


@pytest.mark.parametrize("change", ["pin", "thumbnail", "trash and back"])
def test_what_is_no_new_version_is_a_new_answer_all_the_same(alice: Browser, change: str) -> None:
    path = f"/api/diagrams/{save(alice)}"
    before = alice.get(path)
    if change == "pin":
        alice.put(f"{path}/pin")
    elif change == "thumbnail":
        alice.patch(path, json={"thumbnail": picture()}, headers=ANY)
    else:
        alice.delete(path)
        alice.post(f"{path}/restore")
    after = alice.get(path, headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json() != before.json()
    assert after.json()["version"] == 1
    # Who read the one before it may still change the version, which is the same.
    headers = {"if-match": before.headers["etag"]}
    assert alice.patch(path, json={"title": "new"}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"title": "neu"},
        {"language": "en"},
        {"diagram_type": "bubble_map", "spec": {"topic": "水", "attributes": []}},
        {"spec": spec("火")},
    ],
)
def test_a_patch_changes_what_it_names_and_nothing_else(
    alice: Browser, change: dict[str, Any]
) -> None:
    made = save(alice, thumbnail=picture())
    before = alice.get(f"/api/diagrams/{made}").json()
    answer = alice.patch(f"/api/diagrams/{made}", json=change, headers=ANY)
    assert answer.status_code == 200, answer.text
    after = alice.get(f"/api/diagrams/{made}").json()
    assert after == answer.json()
    assert after["updated_at"] > before["updated_at"]
    assert after == before | change | {"version": 2, "updated_at": after["updated_at"]}


def test_a_number_that_becomes_a_truth_is_a_change(alice: Browser) -> None:
    made = save(alice, spec=spec("a") | {"x": 1})
    answer = alice.patch(
        f"/api/diagrams/{made}", json={"spec": spec("a") | {"x": True}}, headers=ANY
    )
    assert answer.json()["version"] == 2
    assert alice.get(f"/api/diagrams/{made}").json()["spec"]["x"] is True


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_changes_nothing_is_no_new_version(alice: Browser, method: str) -> None:
    made = save(alice)
    before = alice.get(f"/api/diagrams/{made}")
    reordered = dict(reversed(MAP["spec"].items()))
    answer = alice.request(
        method, f"/api/diagrams/{made}", json=MAP | {"spec": reordered}, headers=ANY
    )
    assert answer.json() == before.json()
    assert answer.headers["etag"] == before.headers["etag"]
    assert alice.get(f"/api/diagrams/{made}/versions").json() == {"items": []}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"title": None}, ["body", "title"]),
        ({"title": ""}, ["body", "title"]),
        ({"spec": None}, ["body", "spec"]),
        ({"spec": []}, ["body", "spec"]),
        ({"spec": {"a": "nul\x00"}}, ["body", "spec"]),
        ({"diagram_type": None}, ["body", "diagram_type"]),
        ({"diagram_type": "pie"}, ["body", "diagram_type"]),
        # The spec that is there is none of this kind.
        ({"diagram_type": "double_bubble_map"}, ["body", "spec"]),
        ({"language": None}, ["body", "language"]),
        ({"titel": "a typing error"}, ["body", "titel"]),
        ({"is_pinned": True}, ["body", "is_pinned"]),
        ({"version": 7}, ["body", "version"]),
        ({"thumbnail": ""}, ["body", "thumbnail"]),
    ],
)
def test_a_broken_patch_is_refused_with_its_place(
    alice: Browser, change: dict[str, Any], where: list[str]
) -> None:
    made = save(alice)
    answer = alice.patch(f"/api/diagrams/{made}", json=change, headers=ANY)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
    assert [problem["where"] for problem in answer.json()["detail"]] == [where]
    assert alice.get(f"/api/diagrams/{made}").json()["version"] == 1


def test_parallel_changes_of_what_was_read_are_each_made_once(
    service: Service, alice: Browser
) -> None:
    path = f"/api/diagrams/{save(alice, spec=spec('0'))}"

    def count_up(times: int) -> int:
        browser = service.browser_of(ALICE)
        refused = 0
        while times:
            found = browser.get(path)
            new = spec(str(int(found.json()["spec"]["topic"]) + 1))
            headers = {"if-match": found.headers["etag"]}
            answer = browser.patch(path, json={"spec": new}, headers=headers)
            assert answer.status_code in {200, 412}, answer.text
            times -= answer.status_code == 200
            refused += answer.status_code == 412
        return refused

    with ThreadPoolExecutor(5) as threads:
        refused = sum(threads.map(count_up, [6] * 5))
    after = alice.get(path).json()
    assert (after["spec"]["topic"], after["version"]) == ("30", 31)
    assert refused > 0, "they never met"


# Copies and pins


@pytest.mark.parametrize(
    ("title", "copied"),
    [
        ("水", "水 (2)"),
        ("水 (2)", "水 (3)"),
        ("水 (99)", "水 (100)"),
        ("(2)", "(2) (2)"),
        ("f(2)", "f(2) (2)"),
        ("x" * 200, "x" * 196 + " (2)"),
        ("x" * 196 + " (9)", "x" * 195 + " (10)"),
    ],
)
def test_a_copy_has_a_title_that_tells_it_apart(alice: Browser, title: str, copied: str) -> None:
    made = save(alice, title=title)
    answer = alice.post(f"/api/diagrams/{made}/duplicate")
    assert (answer.status_code, answer.json()["title"]) == (201, copied)


def test_a_copy_is_a_diagram_of_its_own(alice: Browser) -> None:
    made = save(alice, thumbnail=picture())
    alice.patch(f"/api/diagrams/{made}", json={"title": "second"}, headers=ANY)
    alice.put(f"/api/diagrams/{made}/pin")
    answer = alice.post(f"/api/diagrams/{made}/duplicate", json={"title": " mine "})
    copy = answer.json()
    assert answer.headers["etag"].startswith('"1-')
    assert copy["id"] != made
    assert copy["title"] == "mine"
    assert copy["spec"] == MAP["spec"]
    assert (copy["version"], copy["is_pinned"], copy["has_thumbnail"]) == (1, False, True)
    assert alice.get(f"/api/diagrams/{copy['id']}").json() == copy
    assert alice.get(f"/api/diagrams/{copy['id']}/versions").json() == {"items": []}
    alice.delete(f"/api/diagrams/{made}")
    assert alice.get(f"/api/diagrams/{copy['id']}").is_success


def test_pinned_ones_come_first_and_a_pin_changes_nothing_else(alice: Browser) -> None:
    old, middle, new = (save(alice, title=title) for title in ("old", "middle", "new"))
    before = alice.get(f"/api/diagrams/{old}").json()
    for _ in range(2):
        assert alice.put(f"/api/diagrams/{old}/pin").status_code == 204
        assert [one["id"] for one in alice.get("/api/diagrams").json()["items"]] == [
            old,
            new,
            middle,
        ]
    assert alice.get(f"/api/diagrams/{old}").json() == before | {"is_pinned": True}
    for _ in range(2):
        assert alice.delete(f"/api/diagrams/{old}/pin").status_code == 204
    assert alice.get(f"/api/diagrams/{old}").json() == before
    assert alice.get("/api/diagrams").json()["items"][0]["id"] == new


# Thumbnails


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 pixels", "image/jpeg"),
        (b"RIFF\x0a\x0d\xff\x00WEBPVP8 ", "image/webp"),
        (PNG.ljust(200 * 1024, b"x"), "image/png"),
    ],
    ids=["png", "jpeg", "webp", "200 KB"],
)
def test_a_thumbnail_is_served_as_the_picture_that_it_is(
    alice: Browser, content: bytes, kind: str
) -> None:
    path = f"/api/diagrams/{save(alice, thumbnail=picture(content, kind))}"
    answer = alice.get(f"{path}/thumbnail")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = alice.get(f"{path}/thumbnail", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    found = alice.get(path).json()
    assert found["has_thumbnail"] is True
    assert "thumbnail" not in found
    assert alice.get("/api/diagrams").json()["items"][0]["has_thumbnail"] is True


def test_a_thumbnail_stays_until_it_is_replaced_or_removed(alice: Browser) -> None:
    path = f"/api/diagrams/{save(alice, thumbnail=picture())}"
    alice.put(path, json=MAP | {"title": "replaced"}, headers=ANY)
    assert alice.get(f"{path}/thumbnail").content == PNG
    etag = alice.get(f"{path}/thumbnail").headers["etag"]
    other = PNG + b"other"
    alice.patch(path, json={"thumbnail": picture(other)}, headers=ANY)
    assert alice.get(f"{path}/thumbnail", headers={"if-none-match": etag}).content == other
    before = alice.get(path).json()
    assert before["version"] == 2
    after = alice.patch(path, json={"thumbnail": None}, headers=ANY).json()
    assert after == before | {"has_thumbnail": False}
    answer = alice.get(f"{path}/thumbnail")
    assert (answer.status_code, answer.json()["error"]) == (404, "ThumbnailNotFound")


@pytest.mark.parametrize(
    "thumbnail",
    [
        "",
        "https://example.org/a.png",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:text/html;base64,PGI+",
        "data:image/png,plain",
        picture(b"<script>", "image/png"),
        picture(PNG, "image/jpeg"),
        picture(b"RIFF\x00\x00\x00\x00WAVE", "image/webp"),
        picture(b""),
        "data:image/png;base64,iVBORw0KGgo",
        "data:image/png;base64,iVBORw0KGg o=",
        "data:image/png;base64,iVBORw0KGgo=\n",
        picture(PNG.ljust(200 * 1024 + 1, b"x")),
        1,
    ],
)
def test_what_is_no_picture_is_no_thumbnail(alice: Browser, thumbnail: object) -> None:
    answer = alice.post("/api/diagrams", json=MAP | {"thumbnail": thumbnail})
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
    assert [problem["where"] for problem in answer.json()["detail"]] == [["body", "thumbnail"]]


# Whoever may not

ENDPOINTS = [
    ("GET", ""),
    ("PUT", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "/thumbnail"),
    ("POST", "/duplicate"),
    ("PUT", "/pin"),
    ("DELETE", "/pin"),
    ("POST", "/restore"),
    ("DELETE", "/purge"),
    ("GET", "/versions"),
    ("GET", "/versions/1"),
    ("POST", "/versions/1/restore"),
]
FIXED = [("GET", "/trash"), ("DELETE", "/trash"), ("GET", "/export"), ("POST", "/import")]


def body_for(method: str, below: str) -> dict[str, Any]:
    """What the request needs besides its path."""
    needed: dict[str, Any] = {"headers": ANY}
    if below == "" and method in {"PUT", "PATCH"}:
        needed["json"] = MAP | {"title": "mine now"}
    return needed


@pytest.mark.parametrize("trashed", [False, True], ids=["", "in the trash"])
def test_a_stranger_finds_nothing_at_any_endpoint(
    alice: Browser, bob: Browser, trashed: bool
) -> None:
    made = save(alice, thumbnail=picture())
    alice.patch(f"/api/diagrams/{made}", json={"title": "second"}, headers=ANY)
    if trashed:
        alice.delete(f"/api/diagrams/{made}")
    before = alice.get("/api/diagrams/export").json()["diagrams"]
    for method, below in ENDPOINTS:
        theirs = bob.request(method, f"/api/diagrams/{made}{below}", **body_for(method, below))
        missing = bob.request(method, f"/api/diagrams/unknown{below}", **body_for(method, below))
        assert theirs.status_code == 404, (method, below)
        assert theirs.json() == missing.json()
    assert alice.get("/api/diagrams/export").json()["diagrams"] == before


@pytest.mark.parametrize(("method", "below"), [*ENDPOINTS, *FIXED])
def test_nobody_gets_in_anywhere_without_a_session(
    anybody: Browser, method: str, below: str
) -> None:
    path = "/api/diagrams" + (below if (method, below) in FIXED else f"/some{below}")
    answer = anybody.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (401, "NotLoggedIn")


@pytest.mark.parametrize("version", ["0", "-1", "x", "2147483648", "9" * 30])
def test_a_version_that_can_not_be_one_is_refused(alice: Browser, version: str) -> None:
    made = save(alice)
    for answer in (
        alice.get(f"/api/diagrams/{made}/versions/{version}"),
        alice.post(f"/api/diagrams/{made}/versions/{version}/restore", headers=ANY),
    ):
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["where"] == ["path", "version"]


def test_a_copy_with_a_broken_title_is_refused(alice: Browser) -> None:
    made = save(alice)
    for title in ("", "x" * 201, 5):
        answer = alice.post(f"/api/diagrams/{made}/duplicate", json={"title": title})
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
    headers = {"content-type": "application/json"}
    answer = alice.post(f"/api/diagrams/{made}/duplicate", content=b"[", headers=headers)
    assert answer.status_code == 422
    assert json.loads(alice.get("/api/diagrams").content)["items"][0]["id"] == made
