"""Documents that a worker has read move between SQLite and PostgreSQL with all that finds them."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from app.db import engine
from app.db.session import Database
from app.knowledge import fallback, search_queries
from app.knowledge.models import Chunk
from app.ops.migrate.export import export
from app.settings import Settings
from tests import commands, databases, documents, exports
from tests.databases import on_postgresql, on_sqlite
from tests.people import ALICE
from tests.servers import Servers

TEXT = "# It's 1.5 °C\n\n水循环没有开始，也没有结束。The O'Neill cycle: a\\b, c:1 & (d)!"


def read(settings: Settings) -> None:
    with documents.tools(settings) as tools:
        documents.add(tools, ALICE.id, TEXT)
        documents.work(tools)


def assert_found(settings: Settings) -> None:
    database = Database(engine.build(settings, name="test", threads=1))
    with database.read() as session:
        points: list[UUID] = list(session.scalars(select(Chunk.point_id)))
        assert points
        assert set(search_queries.passages(session, ALICE.id, points)) == set(points)
        for words in ("水循环", "cycles", "O'Neill", "没有结束"):
            found = fallback.search(session, ALICE.id, words, None, 5)
            assert [one.document_id for one in found], words
            assert found[0].content in TEXT
    database.close()


@on_sqlite
def test_from_sqlite_to_postgresql(settings: Settings, servers: Servers) -> None:
    read(settings)
    assert_found(settings)
    with databases.on_server(servers, databases.BARE) as name:
        there = databases.settings_of(servers, name)
        done = commands.run(
            "import-sqlite",
            str(settings.data_dir / "mindgraph.db"),
            environ=commands.environment_of(there),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert_found(there)


@on_postgresql
def test_from_postgresql_to_sqlite(settings: Settings, tmp_path: Path) -> None:
    read(settings)
    assert_found(settings)
    file = tmp_path / "moved" / "mindgraph.db"
    file.parent.mkdir()
    export(settings, file)
    assert_found(exports.embedded(settings, file))
