"""Lists and searches use their indexes, on both engines."""

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import insert, update

from app import clock
from app.db import engine
from app.db.session import Database
from app.diagrams import indexing, queries, texts
from app.diagrams.models import Diagram, DiagramText
from app.diagrams.schemas import DiagramFilter
from app.settings import Settings
from tests.people import ALICE, BOB, CHARLIE
from tests.plans import explained

WORDS = ["水循环", "光合作用", "evaporation", "water"]


@pytest.fixture(autouse=True)
def many(settings: Settings, database: Database) -> None:
    """3000 diagrams, a fifth of them alice's, of which the planner knows."""
    now = clock.now()
    made, found_by = [], []
    for at in range(3_000):
        owner = (ALICE, BOB, CHARLIE, BOB, CHARLIE)[at % 5]
        title = f"{WORDS[at % len(WORDS)]} {at}"
        moment = now - timedelta(seconds=at)
        spec = {"topic": title, "children": [{"text": f"part {at + n} 节点"} for n in range(20)]}
        made.append(
            {
                "id": f"{at:036}",
                "user_id": owner.id,
                "title": title,
                "diagram_type": "mind_map",
                "language": "zh",
                "spec": spec,
                "is_pinned": at % 4 == 0,
                "created_at": moment,
                "updated_at": moment,
            }
        )
        text = indexing.prepare(owner.id, title, spec)
        found_by.append(
            {
                "diagram_id": f"{at:036}",
                "content": text.content,
                "terms": text.terms,
                "source_updated_at": moment,
            }
        )
    with database.begin() as session:
        session.execute(insert(Diagram), made)
        session.execute(insert(DiagramText), found_by)
    # Only the owner may. As autovacuum does, it also brings what is new into the GIN index.
    on_server = database.engine.dialect.name == "postgresql"
    direct = engine.build_direct(settings, name="test")
    with direct.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if on_server else "ANALYZE")
    direct.dispose()


def test_pages_are_read_from_the_index_in_its_order(database: Database) -> None:
    half_way = (False, clock.now() - timedelta(seconds=1500), "0")
    for before, pinned, in_trash in product([None, half_way], [None, True, False], [False, True]):
        with explained(database) as plans, database.read() as session:
            queries.list_page(
                session,
                ALICE.id,
                21,
                before,
                chosen=DiagramFilter(pinned=pinned),
                in_trash=in_trash,
            )
        (plan,) = plans
        assert "ix_diagrams_owned" in plan, plan
        # No sorting, in the words of either engine.
        assert "Sort" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
        if before:
            # It begins there, and reads nothing that came before.
            begins = "updated_at, (id)" if "Index Cond" in plan else "updated_at,id)<("
            assert begins in plan, plan


def test_the_count_for_the_quota_reads_the_index(database: Database) -> None:
    with explained(database) as plans, database.read() as session:
        assert queries.count(session, ALICE.id) == 600
    assert "ix_diagrams_owned" in plans[0], plans


def test_the_purge_reads_the_trash_alone(database: Database) -> None:
    long_ago = clock.now() - timedelta(days=40)
    thrown = [f"{at:036}" for at in range(0, 3_000, 300)]
    with database.begin() as session:
        session.execute(
            update(Diagram)
            .where(Diagram.id.in_(thrown))
            .values(is_deleted=True, updated_at=long_ago)
        )
    with explained(database) as plans, database.begin() as session:
        cutoff = clock.now() - timedelta(days=30)
        assert queries.delete_trash(session, cutoff, 100) == len(thrown)
    assert "ix_diagrams_trash" in plans[0], plans


def test_searches_use_the_full_text_index(database: Database) -> None:
    for query in ("光合作用", "evap", "光", "water 4", "水循环 循环"):
        with explained(database) as plans, database.read() as session:
            found = queries.list_page(session, ALICE.id, 50, None, wanted=texts.parse_query(query))
        assert found, query
        (plan,) = plans
        if database.engine.dialect.name == "postgresql":
            assert "Bitmap Index Scan on ix_diagram_texts_terms" in plan, plan
            assert "Seq Scan on diagram_texts" not in plan, plan
        else:
            assert "SCAN diagram_texts_fts VIRTUAL TABLE INDEX" in plan, plan
            assert "SCAN diagram_texts " not in f"{plan} ", plan
            assert "SCAN diagrams" not in plan, plan


def test_a_search_finds_all_of_ones_own_and_nothing_of_others(database: Database) -> None:
    with database.read() as session:
        found = queries.list_page(session, BOB.id, 2_000, None, wanted=texts.parse_query("water"))
    expected = {f"{at:036}" for at in range(3_000) if at % 5 in {1, 3} and at % 4 == 3}
    assert {one.id for one in found} == expected
