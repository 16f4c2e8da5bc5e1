"""All of somebody's diagrams as one document: out, in, and nothing lost or doubled."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples

from app.db.session import Database
from app.diagrams import service, transfer
from app.diagrams.schemas import DiagramIn
from app.errors import InvalidPayload
from app.settings import Settings
from app.users.schemas import UserOut
from tests.http.browsers import Browser, Service, serving
from tests.http.test_diagram_changes import picture
from tests.http.test_diagram_versions import rename, rows, trash_of, versions
from tests.http.test_diagrams import ANY, MAP, save, titles
from tests.people import ALICE, BOB
from tests.unit.specs import SPECS

MOMENT = "2026-01-02T03:04:05.678901Z"
ONE = MAP | {"id": "one", "created_at": MOMENT, "updated_at": MOMENT}


def export(browser: Browser) -> dict[str, Any]:
    answer = browser.get("/api/diagrams/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "attachment" in answer.headers["content-disposition"]
    found: dict[str, Any] = answer.json()
    return found


def document(*diagrams: dict[str, Any]) -> dict[str, Any]:
    return {"format": "mindgraph", "format_version": 1, "diagrams": diagrams}


def bring(browser: Browser, content: object) -> tuple[int, int]:
    """Imports it; how many diagrams were new, and how many skipped."""
    answer = browser.post("/api/diagrams/import", json=content)
    assert answer.status_code == 200, answer.text
    return answer.json()["imported"], answer.json()["skipped"]


def refusal(browser: Browser, content: object) -> tuple[str, list[Any]]:
    """The error and the places of an import that is refused."""
    answer = browser.post("/api/diagrams/import", json=content)
    detail = answer.json()["detail"]
    assert 400 <= answer.status_code < 500, answer.text
    return answer.json()["error"], [one["where"] for one in detail if isinstance(one, dict)]


def without_ids(exported: dict[str, Any]) -> list[dict[str, Any]]:
    """The diagrams without what another owner can't keep, in a fixed order."""
    shown = [{**one, "id": ""} for one in exported["diagrams"]]
    return sorted(shown, key=lambda one: json.dumps(one, sort_keys=True))


@pytest.fixture
def belongings(alice: Browser) -> None:
    """One of each: with versions, pinned, with a picture, in the trash."""
    changed = save(alice, title="changed")
    rename(alice, changed, "once", "twice")
    pinned = save(alice, title="pinned", thumbnail=picture(), language="en")
    alice.put(f"/api/diagrams/{pinned}/pin")
    thrown = save(alice, title="thrown")
    rename(alice, thrown, "renamed and thrown")
    alice.delete(f"/api/diagrams/{thrown}")


@pytest.mark.usefixtures("belongings")
def test_an_export_has_all_that_one_has_and_nothing_of_others(alice: Browser, bob: Browser) -> None:
    save(bob, title="of bob")
    found = export(alice)
    assert (found["format"], found["format_version"]) == ("mindgraph", 1)
    assert found["user"]["login"] == ALICE.login
    assert "password" not in json.dumps(found["user"])
    by_title = {one["title"]: one for one in found["diagrams"]}
    assert set(by_title) == {"twice", "pinned", "renamed and thrown"}
    assert [one["title"] for one in by_title["twice"]["versions"]] == ["once", "changed"]
    assert by_title["twice"]["versions"][0]["spec"] == MAP["spec"]
    assert by_title["pinned"]["is_pinned"] is True
    assert by_title["pinned"]["thumbnail"] == picture()
    assert by_title["renamed and thrown"]["is_deleted"] is True


@pytest.mark.usefixtures("belongings")
def test_what_was_exported_comes_back_equal_with_another_person(
    service: Service, alice: Browser, bob: Browser
) -> None:
    exported = export(alice)
    assert bring(bob, exported) == (3, 0)
    copied = export(bob)
    assert without_ids(copied) == without_ids(exported)
    ids = {one["id"] for one in (*exported["diagrams"], *copied["diagrams"])}
    assert len(ids) == 6
    assert titles(bob) == titles(alice) == ["pinned", "twice"]
    assert trash_of(bob) == ["renamed and thrown"]
    assert [one["title"] for one in bob.get("/api/diagrams?q=pinned").json()["items"]] == ["pinned"]
    before = rows(service)
    for browser, content in ((bob, exported), (bob, copied), (alice, exported)):
        assert bring(browser, content) == (0, 3)
    assert rows(service) == before
    (changed,) = (one["id"] for one in copied["diagrams"] if one["title"] == "twice")
    assert versions(bob, changed) == [(2, "once"), (1, "changed")]
    rename(bob, changed, "goes on")
    assert bob.get(f"/api/diagrams/{changed}").json()["version"] == 4


@pytest.mark.usefixtures("belongings")
def test_an_account_that_was_emptied_is_as_it_was(alice: Browser) -> None:
    exported = export(alice)
    for one in alice.get("/api/diagrams").json()["items"]:
        alice.delete(f"/api/diagrams/{one['id']}")
    alice.delete("/api/diagrams/trash")
    assert export(alice)["diagrams"] == []
    assert bring(alice, exported) == (3, 0)
    assert export(alice)["diagrams"] == exported["diagrams"]


def test_a_diagram_that_has_changed_since_stays_beside_the_exported_one(alice: Browser) -> None:
    made = save(alice, title="exported")
    exported = export(alice)
    alice.put(f"/api/diagrams/{made}", json=MAP | {"title": "changed since"}, headers=ANY)
    assert bring(alice, exported) == (1, 0)
    assert sorted(titles(alice)) == ["changed since", "exported"]
    assert bring(alice, exported) == (0, 1)
    # Also when the copy has been changed meanwhile.
    (copy,) = (one for one in export(alice)["diagrams"] if one["title"] == "exported")
    alice.put(f"/api/diagrams/{copy['id']}", json=MAP | {"title": "mine"}, headers=ANY)
    assert bring(alice, exported) == (0, 1)
    assert sorted(titles(alice)) == ["changed since", "mine"]


def test_what_lies_in_the_trash_can_be_had_again_from_an_export(alice: Browser) -> None:
    made = save(alice, title="deleted since")
    exported = export(alice)
    alice.delete(f"/api/diagrams/{made}")
    assert bring(alice, exported) == (1, 0)
    assert titles(alice) == ["deleted since"]
    assert bring(alice, exported) == (0, 1)


def test_a_document_may_name_a_diagram_twice(alice: Browser) -> None:
    assert bring(alice, document(ONE, ONE, ONE | {"title": "other"})) == (2, 1)
    assert bring(alice, document(ONE | {"title": "other"}, ONE)) == (0, 2)
    found = alice.get("/api/diagrams/one").json()
    assert {name: found[name] for name in MAP} == MAP
    assert (found["version"], found["is_pinned"]) == (1, False)


def test_an_id_of_somebody_else_is_left_alone(alice: Browser, bob: Browser) -> None:
    assert bring(alice, document(ONE)) == (1, 0)
    assert bring(bob, document(ONE | {"title": "of bob"})) == (1, 0)
    assert titles(alice) == [MAP["title"]]
    assert bob.get("/api/diagrams/one").status_code == 404
    (made,) = bob.get("/api/diagrams").json()["items"]
    # Somebody takes the id that follows from it as well.
    bob.delete(f"/api/diagrams/{made['id']}")
    bob.delete(f"/api/diagrams/{made['id']}/purge")
    assert bring(alice, document(ONE | {"id": made["id"], "title": "taken"})) == (1, 0)
    for expected in ((1, 0), (0, 1)):
        assert bring(bob, document(ONE | {"title": "of bob"})) == expected
    assert titles(bob) == ["of bob"]
    assert sorted(titles(alice)) == sorted([MAP["title"], "taken"])


def test_nothing_is_from_the_future(alice: Browser) -> None:
    future = "2999-01-01T00:00:00Z"
    bring(alice, document(ONE | {"created_at": future, "updated_at": future}))
    new = save(alice, title="new")
    assert [one["id"] for one in alice.get("/api/diagrams").json()["items"]] == [new, "one"]


VERSION = {"version": 1, "saved_at": MOMENT, **MAP}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"title": ""}, ["title"]),
        ({"id": "../a"}, ["id"]),
        ({"id": "x" * 37}, ["id"]),
        ({"spec": []}, ["spec"]),
        ({"spec": {"a": "nul\x00"}}, ["spec"]),
        ({"spec": {"topic": "a", "children": 5}}, ["spec"]),
        ({"diagram_type": "double_bubble_map"}, ["spec"]),
        ({"diagram_type": "pie"}, ["diagram_type"]),
        ({"thumbnail": "data:image/png;base64,AAAA"}, ["thumbnail"]),
        ({"version": 0}, ["version"]),
        ({"version": 2**31}, ["version"]),
        ({"created_at": "2026-01-01T00:00:00"}, ["created_at"]),
        ({"updated_at": "0001-01-01T00:00:00+23:59"}, ["updated_at"]),
        ({"versions": [VERSION]}, []),
        ({"version": 3, "versions": [VERSION, VERSION]}, []),
        ({"version": 3, "versions": [VERSION | {"title": None}]}, ["versions", 0, "title"]),
        ({"version": 3, "versions": [VERSION | {"spec": {}}]}, ["versions", 0, "spec"]),
    ],
)
def test_a_broken_diagram_is_named_and_nothing_is_imported(
    alice: Browser, changes: dict[str, Any], where: list[Any]
) -> None:
    good = [ONE | {"id": f"good-{at}"} for at in range(3)]
    error, places = refusal(alice, document(*good, ONE | changes))
    assert (error, places) == ("InvalidPayload", [["body", "diagrams", 3, *where]])
    assert titles(alice) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"format": "mindgraph", "format_version": 1}',
        b'{"format": "other", "format_version": 1, "diagrams": []}',
        b'{"format": "mindgraph", "format_version": 2, "diagrams": []}',
        b'{"format": "mindgraph", "format_version": 1, "diagrams": {}}',
        b'{"format": "mindgraph", "format_version": 1, "diagrams": [' + b"0," * 300_000 + b"0]}",
        b'{"format": "mindgraph", "format_version": 1, "diagrams": ' + b"[" * 200_000,
    ],
    ids=range(11),
)
def test_what_is_no_such_document_is_refused(alice: Browser, body: bytes) -> None:
    answer = alice.post("/api/diagrams/import", content=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
    assert answer.json()["detail"][0]["where"][0] == "body"
    assert len(answer.json()["detail"]) <= 3


def test_an_import_beyond_the_quota_imports_nothing(settings: Settings) -> None:
    with serving(settings.model_copy(update={"diagram_quota": 3})) as service:
        alice = service.browser_of(ALICE)
        save(alice, title="there")
        many = [ONE | {"id": f"new-{at}"} for at in range(3)]
        before = rows(service)
        assert refusal(alice, document(*many))[0] == "DiagramLimitReached"
        assert rows(service) == before
        assert bring(alice, document(*many[:2])) == (2, 0)
        # The trash has a quota of its own, and nothing falls out of it unseen.
        thrown = [ONE | {"id": f"thrown-{at}", "is_deleted": True} for at in range(4)]
        assert bring(alice, document(*thrown[:3])) == (3, 0)
        before = rows(service)
        assert refusal(alice, document(*thrown))[0] == "DiagramLimitReached"
        assert rows(service) == before
        assert bring(alice, document(*thrown[:3], *many[:2])) == (0, 5)


def test_a_document_of_more_than_anybody_may_have_is_refused_at_once(settings: Settings) -> None:
    with serving(settings.model_copy(update={"diagram_quota": 3})) as service:
        alice = service.browser_of(ALICE)
        save(alice)
        (one,) = export(alice)["diagrams"]
        # As many as one may have, and as many in the trash.
        assert bring(alice, document(*[one] * 6)) == (0, 6)
        with service.statements() as statements:
            assert refusal(alice, document(*[one] * 7))[0] == "DiagramLimitReached"
        assert not [statement for statement in statements if "diagrams" in statement]


def test_an_import_may_be_larger_than_other_bodies_and_has_a_limit_too(settings: Settings) -> None:
    small = settings.model_copy(update={"import_limit_mb": 2})
    with serving(small) as service:
        alice = service.browser_of(ALICE)
        topic = {"topic": "x" * 400_000, "children": []}
        large = [ONE | {"id": f"large-{at}", "spec": topic} for at in range(5)]
        assert bring(alice, document(*large[:4])) == (4, 0)
        error, _ = refusal(alice, document(*large, *large))
        assert error == "PayloadTooLarge"
        body = json.dumps(document(*large, *large)).encode()
        pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
        answer = alice.post_in_pieces("/api/diagrams/import", pieces)
        assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")
        assert "2048 KB" in answer.json()["detail"]
        # The limit of the rest is as it was.
        answer = alice.post("/api/diagrams", content=b"x" * (1024 * 1024 + 1))
        assert answer.status_code == 413


def test_two_imports_of_one_document_at_once_add_it_once(service: Service, alice: Browser) -> None:
    exported = document(*[ONE | {"id": f"many-{at}", "title": str(at)} for at in range(20)])
    barrier = threading.Barrier(4)

    def import_it(_: int) -> tuple[int, int]:
        browser = service.browser_of(ALICE)
        barrier.wait(30)
        return bring(browser, exported)

    with ThreadPoolExecutor(4) as threads:
        done = sorted(threads.map(import_it, range(4)))
    assert done == [(0, 20), (0, 20), (0, 20), (20, 0)]
    assert len(titles(alice)) == 20


def test_an_export_holds_no_connection_while_it_is_read(
    settings: Settings, database: Database
) -> None:
    with database.begin() as session:
        for at in range(5):
            payload = DiagramIn.model_validate(MAP | {"title": str(at)})
            service.create(session, settings, ALICE.id, payload)
    pieces = transfer.export(database, as_user())
    assert next(pieces).startswith('{"format": "mindgraph"')
    text = ""
    for piece in pieces:
        text += piece
        assert database.engine.pool.status().count("Current Checked out connections: 0") == 1
    assert text.count('"id"') == 5


def test_what_is_deleted_during_an_export_is_left_out(
    settings: Settings, database: Database
) -> None:
    with database.begin() as session:
        for at in range(3):
            payload = DiagramIn.model_validate(MAP | {"title": str(at)})
            service.create(session, settings, ALICE.id, payload)
    pieces = transfer.export(database, as_user())
    text = next(pieces) + next(pieces)
    with database.begin() as session:
        service.delete_all_of(session, ALICE.id)
    assert len(json.loads(text + "".join(pieces))["diagrams"]) == 1


@examples(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_spec=SPECS)
def test_every_spec_comes_back_from_an_export_as_it_went_in(
    settings: Settings, database: Database, given_spec: dict[str, Any]
) -> None:
    spec = {"topic": "水", "children": [], **storable(given_spec)}
    payload = DiagramIn.model_validate(MAP | {"spec": spec})
    with database.begin() as session:
        service.delete_all_of(session, ALICE.id)
        service.delete_all_of(session, BOB.id)
        service.create(session, settings, ALICE.id, payload)
    body = "".join(transfer.export(database, as_user())).encode()
    prepared = transfer.read(settings, BOB.id, body)
    for expected in (1, 0):
        with database.begin() as session:
            assert transfer.store(session, settings, BOB.id, prepared).imported == expected
    again = json.loads("".join(transfer.export(database, as_user())))["diagrams"]
    assert [json.dumps(one["spec"], sort_keys=True) for one in again] == [
        json.dumps(spec, sort_keys=True)
    ]


def storable(spec: dict[str, Any]) -> dict[str, Any]:
    """As much of it as may be saved."""
    found = {}
    for name, value in spec.items():
        try:
            service.check_spec(
                Settings(), "mind_map", {"topic": "", "children": [], f"x{name}": value}
            )
        except InvalidPayload:
            continue
        found[f"x{name}"] = value
    return found


def as_user() -> UserOut:
    return UserOut(
        id=ALICE.id,
        login=ALICE.login,
        name=ALICE.name,
        avatar=None,
        role="user",
        organization_id=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
