"""What goes with a document, and with its owner."""

from typing import Any

from sqlalchemy import func, select

from app.db.registry import metadata
from app.knowledge import cleaning, consistency, indexes
from app.knowledge.models import Chunk, Document, Feedback, Removal, Search, Tag, Turn, Version
from app.knowledge.tools import Tools
from app.settings import Settings
from app.vectors import points
from tests import documents
from tests.http.browsers import Browser
from tests.http.uploads import DOCUMENTS, found, names, replace, search, upload
from tests.people import ALICE, BOB

OWNED = (Document, Tag, Version, Chunk, Search, Feedback)


def rows(tools: Tools) -> dict[str, int]:
    with tools.database.read() as session:
        return {
            one.__tablename__: session.scalar(select(func.count()).select_from(one)) or 0
            for one in (*OWNED, Removal)
        }


def count_points(tools: Tools) -> int:
    return points.count(tools.qdrant, indexes.require_active(tools.database).collection)


def files(settings: Settings) -> int:
    return sum(len(one.name) == 64 for one in settings.files_dir.rglob("*"))


def fill(browser: Browser, tools: Tools) -> dict[str, Any]:
    """A document with two versions and tags, and a search with feedback."""
    made = upload(browser, "rain falls", tags="water,sky")
    documents.work(tools)
    replace(browser, made["id"], "snow falls")
    documents.work(tools)
    asked = search(browser, "snow", mode="keyword")
    path = f"/api/knowledge/history/{asked['id']}/feedback"
    assert browser.put(path, json={"rank": 1, "useful": True}).status_code == 204
    return made


def test_every_table_of_knowledge_is_looked_at() -> None:
    """But for vectors, which are nobody's, which index there is, and turns, which users have."""
    present = {name for name in metadata.tables if name.startswith(("knowledge_", "documents"))}
    looked_at = {one.__tablename__ for one in (*OWNED, Removal)}
    assert present - looked_at == {
        "knowledge_embeddings",
        "knowledge_indexes",
        "knowledge_turns",
    }


def test_a_deleted_document_is_found_no_more_and_leaves_nothing(
    alice: Browser, bob: Browser, tools: Tools, settings: Settings
) -> None:
    made = fill(alice, tools)["id"]
    upload(bob, "snow of bob", "bob.md")
    documents.work(tools)
    assert (count_points(tools), files(settings)) == (2, 3)
    assert alice.delete(f"{DOCUMENTS}/{made}").status_code == 204
    # At once, although Qdrant still has its points.
    assert count_points(tools) == 2
    for mode in ("semantic", "keyword", "hybrid"):
        assert found(alice, "snow", mode=mode) == []
        assert found(bob, "snow", mode=mode) == ["bob.md"]
    for path in ("", "/file", "/text", "/versions", "/events"):
        assert alice.get(f"{DOCUMENTS}/{made}{path}").status_code == 404
    assert alice.delete(f"{DOCUMENTS}/{made}").status_code == 404
    assert files(settings) == 1
    documents.work(tools)
    assert count_points(tools) == 1
    left = rows(tools)
    assert {name: left[name] for name in ("documents", "knowledge_tags")} == {
        "documents": 1,
        "knowledge_tags": 0,
    }
    assert (left["knowledge_versions"], left["knowledge_chunks"]) == (1, 1)
    assert left["knowledge_removals"] == 0
    assert consistency.check(tools, fix=False).is_clean
    # What was searched stays one's own history.
    assert left["knowledge_searches"] > 0


def test_a_document_is_deleted_while_its_file_cannot_be(
    alice: Browser, bob: Browser, tools: Tools, settings: Settings
) -> None:
    made = upload(alice, "rain")
    upload(bob, "snow")
    held = next(settings.files_dir.rglob(made["newest"]["sha256"]))
    content = held.read_bytes()
    held.unlink()
    # In place of the file something that can't be deleted as one.
    held.mkdir()
    assert alice.delete(f"{DOCUMENTS}/{made['id']}").status_code == 204
    assert names(alice) == []
    held.rmdir()
    held.write_bytes(content)
    assert cleaning.clean(tools)["files"] == 0
    documents.let_grace_pass(tools.files)
    assert cleaning.clean(tools)["files"] == 1
    assert files(settings) == 1


def test_with_a_user_go_documents_points_files_and_history(
    alice: Browser, bob: Browser, root: Browser, tools: Tools, settings: Settings
) -> None:
    fill(alice, tools)
    upload(alice, "on its way")
    upload(bob, "rain falls", "bob.md")
    documents.work(tools)
    preview = root.get(f"/api/admin/users/{ALICE.id}/deletion").json()
    assert preview["deleted"]["documents"] == 2
    gone = root.delete(f"/api/admin/users/{ALICE.id}").json()
    assert gone["deleted"] == preview["deleted"]
    left = rows(tools)
    assert left["documents"] == left["knowledge_versions"] == left["knowledge_chunks"] == 1
    assert left["knowledge_searches"] == left["knowledge_feedback"] == left["knowledge_tags"] == 0
    assert left["knowledge_removals"] > 0
    with tools.database.read() as session:
        assert session.scalars(select(Turn.user_id)).all() == [BOB.id]
    # The file that bob has as well stays.
    assert files(settings) == 1
    documents.work(tools)
    assert count_points(tools) == 1
    assert rows(tools)["knowledge_removals"] == 0
    assert consistency.check(tools, fix=False).is_clean
    assert found(bob, "rain", mode="keyword") == ["bob.md"]


def test_the_own_preview_of_a_user_without_documents_says_so(root: Browser) -> None:
    preview = root.get(f"/api/admin/users/{ALICE.id}/deletion").json()
    assert preview["deleted"]["documents"] == 0
