"""Which index in Qdrant serves: one, whoever makes the first one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.db.session import Database
from app.errors import Conflict
from app.knowledge import indexes
from app.knowledge.chunk_queries import Index
from app.knowledge.indexes import IndexMissing

AT_ONCE = 4


def test_processes_that_make_the_first_index_at_once_agree_on_one(database: Database) -> None:
    ready = Barrier(AT_ONCE)

    def ensure(dimension: int) -> Index:
        ready.wait()
        return indexes.ensure(database, model="m", dimension=dimension)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = set(threads.map(ensure, range(1, AT_ONCE + 1)))
    assert found == {indexes.require_active(database)}


def test_without_an_index_a_search_is_told_to_come_again(database: Database) -> None:
    assert indexes.active(database) is None
    with pytest.raises(IndexMissing) as missing:
        indexes.require_active(database)
    assert missing.value.retry_after


@pytest.mark.parametrize("state", ["active", "building"])
def test_there_is_one_index_that_serves_and_one_that_is_built(
    database: Database, state: str
) -> None:
    def add() -> None:
        with database.begin() as session:
            indexes.add(session, model="m", dimension=2, state=state)

    add()
    with pytest.raises(Conflict):
        add()
    assert len(indexes.list_(database)) == 1


def test_any_number_may_be_retired(database: Database) -> None:
    with database.begin() as session:
        for _ in range(3):
            indexes.add(session, model="m", dimension=2, state="retired")
    assert indexes.list_(database) == []
