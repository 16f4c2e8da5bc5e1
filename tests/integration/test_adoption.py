"""Documents and searches of an old file, taken over after its import: on PostgreSQL, and on the
SQLite file that an export makes of that."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.db import engine
from app.db.session import Database
from app.knowledge import search, service
from app.knowledge.files import Files
from app.knowledge.models import Document, Feedback, Search, Tag, Version
from app.knowledge.search import Wanted
from app.knowledge.service import Upload
from app.ops.adoption import adopting, report
from app.ops.adoption.adopting import NothingOld
from app.ops.adoption.results import Adopted
from app.ops.migrate.export import export
from app.settings import Settings
from tests import commands, databases, documents, old_documents
from tests.conftest import RUN
from tests.databases import Backend, on_postgresql
from tests.old_documents import DIRTY, EMPTY, GONE_SPACE, GONE_USER, OVERLAPPING, OWNER
from tests.servers import Servers

# Of the last document of the sample that has passages, and of none before it.
LAST_OWNER = 48
ONE = "one two three four five six\n\nmuch later"


@pytest.fixture(scope="module")
def template(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with the whole old file in it."""
    file = old_documents.unpack(tmp_path_factory.mktemp("old") / "old.db")
    with databases.on_server(servers, databases.BARE) as name:
        settings = databases.settings_of(servers, name)
        done = commands.run("import-sqlite", str(file), environ=commands.environment_of(settings))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "mindgraph knowledge adopt" in done.stdout
        yield name


@pytest.fixture
def settings(
    template: str, servers: Servers, base: Settings, backend: Backend
) -> Iterator[Settings]:
    with databases.on_server(servers, template) as name:
        kept = base.model_dump(exclude_unset=True) | {"knowledge_history_days": 3_650}
        settings = databases.settings_of(servers, name, **kept)
        if backend == "sqlite":
            base.data_dir.mkdir()
            export(settings, base.data_dir / "mindgraph.db")
            settings = Settings.model_validate(kept)
        yield settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return old_documents.files(tmp_path / "copied" / "old")


def ids(done: Adopted, table: str = "knowledge_documents") -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in done.left:
        if one.table == table:
            found.setdefault(one.reason, []).append(one.id)
    return found


def rows(database: Database) -> tuple[int, int, int, int]:
    with database.read() as session:
        counts = [
            session.scalar(select(func.count()).select_from(one)) or 0
            for one in (Document, Version, Search, Feedback)
        ]
    return counts[0], counts[1], counts[2], counts[3]


def of_owner(database: Database, name: str) -> Document:
    with database.read() as session:
        found = session.scalar(
            select(Document).where(Document.user_id == OWNER, Document.name == name)
        )
    assert found, name
    return found


def stored(settings: Settings, document: Document) -> bytes:
    return Files(settings.files_dir).path(document.sha256).read_bytes()


def test_what_can_be_taken_over_is_and_the_rest_is_told(
    settings: Settings, database: Database, folder: Path
) -> None:
    done = adopting.adopt(settings, folder)
    assert (done.from_files, done.from_passages, done.same) == (3, 59, 1)
    left = ids(done)
    assert left["its space is gone"] == [GONE_SPACE]
    assert left["its user is gone"] == [GONE_USER]
    assert EMPTY in left["it has neither a file nor passages"]
    assert sum(map(len, left.values())) + 63 == 90
    assert rows(database)[:2] == (62, 62)
    assert ids(done, "knowledge_queries") == {
        "its user is gone": [9001, 9006],
        "there is no such kind of search any more": [9002],
        "it asks for nothing": [9003],
        "its date can't be understood": [9004],
    }
    assert done.searches == 114 + 1
    assert done.stays["document_versions"] == 27
    assert done.stays["evaluation_results"] == 16
    told = "\n".join(report.lines(done))
    assert "documents taken over: 62, 3 with their file and 59 as the text" in told
    assert f"its space is gone: {GONE_SPACE}" in told
    assert "document_relationships (21)" in told


def test_a_second_run_adds_nothing(settings: Settings, database: Database, folder: Path) -> None:
    first = adopting.adopt(settings, None)
    before = rows(database)
    again = adopting.adopt(settings, None)
    assert rows(database) == before
    assert (again.from_files, again.from_passages, again.same, again.searches) == (0, 0, 0, 0)
    assert ids(again) == ids(first)
    # What was left for want of a file comes in with the file.
    later = adopting.adopt(settings, folder)
    assert (later.from_files, later.from_passages, later.searches) == (2, 0, 0)


def test_what_its_owner_has_deleted_stays_deleted(settings: Settings, database: Database) -> None:
    adopting.adopt(settings, None)
    with database.begin() as session:
        session.execute(text("DELETE FROM documents"))
        session.execute(text("DELETE FROM knowledge_searches"))
    adopting.adopt(settings, None)
    assert rows(database) == (0, 0, 0, 0)


def test_a_trial_tells_the_same_and_changes_nothing(
    settings: Settings, database: Database, folder: Path
) -> None:
    trial = adopting.adopt(settings, folder, is_dry_run=True)
    assert rows(database) == (0, 0, 0, 0)
    assert not settings.files_dir.exists()
    done = adopting.adopt(settings, folder)
    trial.is_dry_run = False
    assert trial == done


def test_a_document_is_what_it_was(settings: Settings, database: Database) -> None:
    adopting.adopt(settings, None)
    found = of_owner(database, "中国传统节日-1.txt")
    assert found.title == found.name
    assert found.created_at == datetime(2025, 12, 8, 5, 33, 55, 914_593, tzinfo=UTC)
    assert found.details == {"category": "教案", "author": "徐秀兰", "pages": 32, "学科": "语文"}
    with database.read() as session:
        tags = session.scalars(select(Tag.tag).where(Tag.document_id == found.id))
        assert sorted(tags) == ["七年级", "教案"]
        version = session.scalars(select(Version).where(Version.document_id == found.id)).one()
    assert (version.number, version.state, version.created_at) == (1, "queued", found.created_at)
    assert version.due_at is not None
    assert stored(settings, found).decode() == ONE


def test_a_text_that_stands_for_another_file_has_the_name_of_a_text(
    settings: Settings, database: Database
) -> None:
    adopting.adopt(settings, None)
    with database.read() as session:
        names = {row[0]: row[1] for row in session.execute(select(Document.name, Document.title))}
    assert names["二次函数-1.docx.txt"] == "二次函数-1.docx"
    assert names["中国传统节日-1.md"] == "中国传统节日-1.md"


def test_files_are_taken_as_they_are_and_a_text_for_what_cannot_be_read(
    settings: Settings, database: Database, folder: Path
) -> None:
    adopting.adopt(settings, folder)
    with database.read() as session:
        found = {one.id: one for one in session.scalars(select(Document))}
    contents = {stored(settings, one): one.name for one in found.values()}
    assert contents["植物的光合作用".encode()] == "光合作用-1.txt"
    assert contents["光合作用 again".encode()] == "光合作用-1.txt"
    # Of two files that are no text, the one is all there is of its document.
    assert contents[b"\x89PNG\r\n\x1a\n\0\0\0"] == "picture.png"
    assert b"root" not in contents


def test_dirt_costs_only_the_part_that_is_dirty(settings: Settings, database: Database) -> None:
    done = adopting.adopt(settings, None)
    found = of_owner(database, f"name {DIRTY}.txt")
    assert found.details == {"category": "试卷", "pages": 3, "half": "?"}
    assert stored(settings, found) == b"the only passage"
    assert [one.reason for one in done.unfit if one.id == DIRTY] == [
        "its date can't be understood; it is that of today",
        "some of its tags don't fit",
        "custom_fields can't be understood",
        f"details that don't fit: nan, list, {old_documents.LONG}",
    ]


def test_searches_come_before_all_new_ones_with_the_last_opinion(
    settings: Settings, database: Database
) -> None:
    done = adopting.adopt(settings, None)
    with database.read() as session:
        mine = session.scalars(
            select(Search).where(Search.user_id == OWNER).order_by(Search.id.desc())
        ).all()
        opinion = session.scalars(select(Feedback).where(Feedback.search_id == mine[0].id)).one()
        assert session.scalar(select(func.max(Search.id))) < 0  # type: ignore[operator]
    assert (mine[0].query, mine[0].mode, mine[0].milliseconds) == ("fine", "keyword", 0.0)
    assert (opinion.rank, opinion.useful) == (0, True)
    assert ids(done, "query_feedback")["something else was said later"][-1] == 901
    assert 903 in ids(done, "query_feedback")["it says neither yes nor no"]
    assert 904 in ids(done, "query_feedback")["it is not of whoever searched"]


def test_searches_that_would_be_deleted_at_once_are_left(settings: Settings) -> None:
    short = settings.model_copy(update={"knowledge_history_days": 1})
    done = adopting.adopt(short, None, is_dry_run=True)
    assert done.searches == 0
    assert len(ids(done, "knowledge_queries")["it is older than searches are kept"]) == 115


def test_more_documents_than_one_may_have_are_kept_and_told(settings: Settings) -> None:
    few = settings.model_copy(update={"knowledge_document_quota": 2})
    trial = adopting.adopt(few, None, is_dry_run=True)
    done = adopting.adopt(few, None)
    assert done.from_passages == 60
    assert OWNER in done.over_quota
    assert trial.over_quota == done.over_quota


def test_the_same_content_as_a_new_document_stays_that_one(
    settings: Settings, database: Database
) -> None:
    files = Files(settings.files_dir)
    with files.receiving() as incoming:
        incoming.write(b"the only passage")
        new, _ = service.add(database, files, settings, OWNER, Upload(incoming, "mine.txt"))
    assert adopting.adopt(settings, None).same == 2
    found = of_owner(database, "mine.txt")
    assert (found.id, found.details) == (new.id, {})


def test_a_worker_reads_what_was_taken_over_and_a_search_finds_it(
    settings: Settings,
) -> None:
    keep_only(settings, OVERLAPPING)
    adopting.adopt(settings, None)
    with documents.tools(settings) as tools:
        documents.work(tools)
        found = search.search(documents.searcher(tools), Wanted(OWNER, "five", "keyword"))
    (hit,) = found.hits
    assert (hit.content, hit.name) == (ONE, "中国传统节日-1.txt")


def keep_only(settings: Settings, document: int) -> None:
    direct = engine.build_direct(settings, name="test")
    place = "legacy." if direct.dialect.name == "postgresql" else ""
    with direct.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {place}knowledge_documents WHERE id <> {document}")
    direct.dispose()


def test_the_command_tells_people_and_programs(settings: Settings, folder: Path) -> None:
    environ = commands.environment_of(settings)
    trial = commands.run("knowledge", "adopt", "--dry-run", "--json", environ=environ)
    assert trial.returncode == 0, trial.stderr
    told: dict[str, Any] = json.loads(trial.stdout.splitlines()[-1])
    assert (told["is_dry_run"], told["from_passages"]) == (True, 60)
    done = commands.run("knowledge", "adopt", "--files", str(folder), environ=environ)
    assert done.returncode == 0, done.stderr
    assert "documents taken over: 62" in done.stdout
    nowhere = commands.run("knowledge", "adopt", "--files", "/nowhere", environ=environ)
    assert (nowhere.returncode, nowhere.stderr) == (1, "mindgraph: there is no folder /nowhere\n")


def test_a_database_without_old_tables_is_told(
    servers: Servers, base: Settings, backend: Backend, request: pytest.FixtureRequest
) -> None:
    if backend == "sqlite":
        databases.in_folder(request.config.stash[RUN].folder, base.data_dir)
        with pytest.raises(NothingOld):
            adopting.adopt(base, None)
        return
    with databases.on_server(servers, databases.READY) as name, pytest.raises(NothingOld):
        adopting.adopt(databases.settings_of(servers, name), None)


@on_postgresql
def test_after_a_kill_it_goes_on(settings: Settings, database: Database) -> None:
    # Others are not told what the owner waits for.
    owner = Database(engine.build_direct(settings, name="test"))
    with database.begin() as session:
        # The last document that would be taken over waits for its owner.
        session.execute(text("SELECT id FROM users WHERE id = :id FOR UPDATE"), {"id": LAST_OWNER})
        process = commands.start("knowledge", "adopt", environ=commands.environment_of(settings))
        commands.wait_until(lambda: databases.is_waiting(owner), "it never waited")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = rows(database)[0]
    assert 0 < before < 60
    done = adopting.adopt(settings, None)
    assert (done.before, done.from_passages) == (before, 60 - before)
    assert rows(database)[0] == 60


@on_postgresql
def test_what_was_taken_over_stays_so_through_a_file_and_back(
    settings: Settings, servers: Servers, tmp_path: Path
) -> None:
    first = adopting.adopt(settings, None)
    export(settings, tmp_path / "mindgraph.db")
    with databases.on_server(servers, databases.BARE) as name:
        back = databases.settings_of(servers, name, data_dir=tmp_path)
        environ = commands.environment_of(back)
        done = commands.run("import-sqlite", str(tmp_path / "mindgraph.db"), environ=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        again = adopting.adopt(back.model_copy(update={"knowledge_history_days": 3_650}), None)
    assert (again.from_passages, again.searches, ids(again)) == (0, 0, ids(first))
    assert again.before == first.from_passages + first.same + first.searches
