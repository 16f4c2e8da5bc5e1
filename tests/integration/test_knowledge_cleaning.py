from datetime import timedelta

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app import clock
from app.db.session import Database
from app.knowledge import chunk_queries, cleaning, indexes
from app.knowledge.files import FilesUnusable
from app.knowledge.models import Search
from app.knowledge.tools import Tools
from tests import documents
from tests.people import ALICE


def add_search(tools: Tools, *, days_ago: int) -> None:
    search = Search(
        user_id=ALICE.id,
        query="rain",
        mode="keyword",
        kind="search",
        hits=[],
        milliseconds=1.0,
        created_at=clock.now() - timedelta(days=days_ago),
    )
    with tools.database.begin() as session:
        session.add(search)


def count_searches(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Search)) or 0


def retire_an_index(tools: Tools) -> None:
    with tools.database.begin() as session:
        indexes.add(session, model="old", dimension=4, state="retired")


def count_retired(tools: Tools) -> int:
    with tools.database.read() as session:
        return len(chunk_queries.list_retired(session))


def test_what_can_not_be_cleaned_now_holds_up_nothing_else(hashed_tools: Tools) -> None:
    documents.add(hashed_tools, ALICE.id, "Needed")
    add_search(hashed_tools, days_ago=hashed_tools.settings.knowledge_history_days + 1)
    add_search(hashed_tools, days_ago=1)
    retire_an_index(hashed_tools)
    lock = hashed_tools.files.folder / "lock"
    lock.unlink()
    lock.mkdir()
    with capture_logs() as logs, pytest.raises(FilesUnusable):
        cleaning.clean(hashed_tools)
    assert [one["what"] for one in logs if one["log_level"] == "warning"] == ["files"]
    assert count_searches(hashed_tools.database) == 1
    assert count_retired(hashed_tools) == 0
    lock.rmdir()
    assert not any(cleaning.clean(hashed_tools).values())
