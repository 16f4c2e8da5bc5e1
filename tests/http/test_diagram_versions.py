"""Earlier states of a diagram, its way into the trash and back."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.diagrams.models import Diagram, DiagramText, DiagramVersion
from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.http.test_diagram_changes import picture
from tests.http.test_diagrams import ANY, MAP, save, titles
from tests.people import ALICE


def rename(browser: Browser, diagram: str, *names: str) -> None:
    for name in names:
        answer = browser.patch(f"/api/diagrams/{diagram}", json={"title": name}, headers=ANY)
        assert answer.status_code == 200, answer.text


def versions(browser: Browser, diagram: str) -> list[tuple[int, str]]:
    items = browser.get(f"/api/diagrams/{diagram}/versions").json()["items"]
    return [(item["version"], item["title"]) for item in items]


def rows(service: Service) -> dict[str, int]:
    """How many rows there are of each kind."""
    with service.app.state.database.read() as session:
        return {
            model.__tablename__: session.scalar(select(func.count()).select_from(model))
            for model in (Diagram, DiagramVersion, DiagramText)
        }


def trash_of(browser: Browser) -> list[str]:
    return [item["title"] for item in browser.get("/api/diagrams/trash").json()["items"]]


def test_each_change_keeps_what_was_before(alice: Browser) -> None:
    created = alice.post("/api/diagrams", json=MAP | {"title": "a"}).json()
    path = f"/api/diagrams/{created['id']}"
    bubble = {"diagram_type": "bubble_map", "spec": {"topic": "火", "attributes": ["hot"]}}
    second = alice.patch(path, json=bubble | {"language": "en"}, headers=ANY).json()
    rename(alice, created["id"], "c")
    assert versions(alice, created["id"]) == [(2, "a"), (1, "a")]
    for before in (created, second):
        found = alice.get(f"{path}/versions/{before['version']}").json()
        saved_at = found.pop("saved_at")
        assert found == {name: before[name] for name in found}
        assert saved_at == before["updated_at"]
        assert set(found) == {"version", "title", "diagram_type", "language", "spec"}
    assert set(alice.get(f"{path}/versions").json()["items"][0]) == {"version", "title", "saved_at"}
    for missing in (3, 4):
        answer = alice.get(f"{path}/versions/{missing}")
        assert (answer.status_code, answer.json()["error"]) == (404, "VersionNotFound")


def test_ten_earlier_states_are_kept(service: Service, alice: Browser) -> None:
    other = save(alice, title="other")
    rename(alice, other, "changed")
    made = save(alice, title="1")
    rename(alice, made, *map(str, range(2, 14)))
    assert versions(alice, made) == [(at, str(at)) for at in range(12, 2, -1)]
    assert versions(alice, other) == [(1, "other")]
    assert rows(service)["diagram_versions"] == 11


@pytest.mark.parametrize("limit", [0, 2])
def test_how_many_are_kept_is_a_setting(settings: Settings, limit: int) -> None:
    few = settings.model_copy(update={"diagram_version_limit": limit})
    with serving(few) as service:
        alice = service.browser_of(ALICE)
        made = save(alice, title="1")
        rename(alice, made, "2", "3", "4")
        assert versions(alice, made) == [(3, "3"), (2, "2")][:limit]


def test_an_earlier_state_comes_back_as_a_new_version(alice: Browser) -> None:
    created = alice.post("/api/diagrams", json=MAP | {"title": "first"}).json()
    path = f"/api/diagrams/{created['id']}"
    etag = alice.patch(
        path, json={"title": "second", "spec": {"topic": "火", "children": []}}, headers=ANY
    ).headers["etag"]
    restore = f"{path}/versions/1/restore"
    assert alice.post(restore, headers={"if-match": '"1"'}).status_code == 412
    answer = alice.post(restore, headers={"if-match": etag})
    assert answer.status_code == 200
    assert answer.headers["etag"] == alice.get(path).headers["etag"]
    found = answer.json()
    assert (found["version"], found["title"], found["spec"]) == (3, "first", MAP["spec"])
    assert versions(alice, created["id"]) == [(2, "second"), (1, "first")]
    assert alice.get("/api/diagrams?q=光合作用").json()["items"] == []
    assert [one["id"] for one in alice.get("/api/diagrams?q=light").json()["items"]] == [
        created["id"]
    ]
    missing = alice.post(f"{path}/versions/9/restore", headers=ANY)
    assert (missing.status_code, missing.json()["error"]) == (404, "VersionNotFound")


# The trash


def test_the_trash_gives_back_what_was_put_into_it(service: Service, alice: Browser) -> None:
    made = save(alice, title="deleted", thumbnail=picture())
    kept = save(alice, title="kept")
    rename(alice, made, "renamed")
    alice.put(f"/api/diagrams/{made}/pin")
    before = alice.get(f"/api/diagrams/{made}").json()
    history = alice.get(f"/api/diagrams/{made}/versions").json()
    assert alice.delete(f"/api/diagrams/{made}").status_code == 204
    assert titles(alice) == ["kept"]
    (thrown,) = alice.get("/api/diagrams/trash").json()["items"]
    summary = {name: before[name] for name in thrown}
    assert thrown == summary | {"updated_at": thrown["updated_at"]}
    assert thrown["updated_at"] > before["updated_at"]
    # The text of what can't be found is gone.
    assert rows(service) == {"diagrams": 2, "diagram_versions": 1, "diagram_texts": 1}
    restored = alice.post(f"/api/diagrams/{made}/restore")
    assert restored.status_code == 200
    after = alice.get(f"/api/diagrams/{made}")
    assert after.json() == restored.json() == before | {"updated_at": after.json()["updated_at"]}
    assert after.headers["etag"] == restored.headers["etag"]
    assert alice.get(f"/api/diagrams/{made}/versions").json() == history
    assert [one["id"] for one in alice.get("/api/diagrams?q=renamed").json()["items"]] == [made]
    assert trash_of(alice) == []
    for name in (made, kept):
        answer = alice.post(f"/api/diagrams/{name}/restore")
        assert (answer.status_code, answer.json()["error"]) == (404, "NotInTrash")


def test_what_is_deleted_for_good_leaves_nothing(service: Service, alice: Browser) -> None:
    empty = rows(service)
    made = save(alice, title="1")
    rename(alice, made, "2", "3")
    answer = alice.delete(f"/api/diagrams/{made}/purge")
    assert (answer.status_code, answer.json()["error"]) == (404, "NotInTrash")
    alice.delete(f"/api/diagrams/{made}")
    assert alice.delete(f"/api/diagrams/{made}/purge").status_code == 204
    assert rows(service) == empty
    for gone in (f"/api/diagrams/{made}/purge", f"/api/diagrams/{made}"):
        assert alice.delete(gone).status_code == 404


def test_the_trash_is_emptied_at_once_and_only_ones_own(
    service: Service, alice: Browser, bob: Browser
) -> None:
    for browser in (alice, bob):
        for title in ("a", "b", "c"):
            made = save(browser, title=title)
            rename(browser, made, title * 2)
            browser.delete(f"/api/diagrams/{made}")
    save(alice, title="kept")
    assert alice.delete("/api/diagrams/trash").json() == {"deleted": 3}
    assert alice.delete("/api/diagrams/trash").json() == {"deleted": 0}
    assert (trash_of(alice), titles(alice)) == ([], ["kept"])
    assert trash_of(bob) == ["cc", "bb", "aa"]
    assert rows(service)["diagram_versions"] == 3


def test_the_trash_is_paged_like_the_list(alice: Browser) -> None:
    made = [save(alice, title=str(at)) for at in range(7)]
    alice.put(f"/api/diagrams/{made[3]}/pin")
    for one in made:
        alice.delete(f"/api/diagrams/{one}")
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    while params.get("cursor", "first"):
        page = alice.get("/api/diagrams/trash", params=params).json()
        seen += [item["title"] for item in page["items"]]
        params["cursor"] = page["next_cursor"]
    assert seen == ["3", "6", "5", "4", "2", "1", "0"]
    assert alice.get("/api/diagrams/trash", params={"cursor": "x"}).status_code == 400


def test_the_trash_holds_as_many_as_one_may_have_and_the_oldest_go(settings: Settings) -> None:
    with serving(settings.model_copy(update={"diagram_quota": 3})) as service:
        alice = service.browser_of(ALICE)
        for at in range(5):
            made = save(alice, title=str(at))
            if at == 0:
                alice.put(f"/api/diagrams/{made}/pin")
            alice.delete(f"/api/diagrams/{made}")
        assert trash_of(alice) == ["4", "3", "2"]
        assert rows(service)["diagrams"] == 3
