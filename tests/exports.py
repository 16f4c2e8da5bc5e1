"""What is exported to SQLite files, and looks at what comes out."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.admin.models import AuditEvent
from app.auth.models import ApiKey, PasswordReset
from app.db import engine, terms
from app.diagrams.models import Diagram, DiagramVersion
from app.knowledge import models as knowledge
from app.ops.migrate.export import Exported
from app.settings import Settings
from tests import usage
from tests.people import ALICE, BOB

# To the microsecond, where PostgreSQL's count is negative, and at the ends of the calendar.
MOMENTS = (
    datetime(2026, 10, 26, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1999, 12, 31, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
)
SPEC: dict[str, Any] = {
    "topic": '水 👩‍🏫 "quoted" \\ back\nslash\ttab \u2028',
    "children": [{"text": "é", "n": 0.1}, {"big": 2**70, "none": None, "yes": True}],
}


def everything() -> list[Any]:
    """Rows of every table, in which nearly every column is filled here and empty there."""
    moment = MOMENTS[0]
    large = {"topic": "large", "children": [{"text": "很长 " * 200_000}]}
    diagrams = [
        Diagram(
            id=f"d-{at}",
            user_id=ALICE.id,
            title=f"标题 {at} 👨‍👩‍👧",
            diagram_type="mind_map",
            language="en",
            spec=large if at == 3 else SPEC,
            thumbnail="data:image/png;base64,AA==" if at else None,
            is_pinned=at == 1,
            is_deleted=at == 2,
            version=at + 1,
            created_at=one,
            updated_at=moment,
        )
        for at, one in enumerate(MOMENTS)
    ]
    key = ApiKey(
        key_hash="a" * 64,
        prefix="mg_1234567",
        name="",
        description="说明",
        user_id=None,
        organization_id=usage.SCHOOL,
        scopes="usage:write",
        quota_limit=0,
        usage_count=2**31 - 1,
        is_active=False,
        created_at=moment,
    )
    of_nobody = {"actor": "gone", "action": "delete", "target_type": "user", "target_id": "9"}
    return [
        *diagrams,
        key,
        PasswordReset(user_id=BOB.id, token_hash="b" * 64, created_at=moment, expires_at=moment),
        DiagramVersion(
            diagram_id="d-1",
            version=1,
            title="",
            diagram_type="mind_map",
            language="zh",
            spec=SPEC,
            saved_at=moment,
        ),
        AuditEvent(at=moment, actor_id=None, details={}, **of_nobody),
        AuditEvent(at=moment, actor_id=ALICE.id, details={"a": [1]}, address="::1", **of_nobody),
        *_knowledge(moment),
        usage.row(moment, input_cost=0.1, output_cost=-0.0, total_cost=1e300, success=False),
        usage.row(MOMENTS[1], event_id="e-1", response_time=5e-324, model_name="模型"),
    ]


def _knowledge(moment: datetime) -> list[Any]:
    version, document = str(UUID(int=2**127 + 1)), str(UUID(int=1))
    searched = {"user_id": BOB.id, "mode": "hybrid", "kind": "search", "created_at": moment}
    return [
        knowledge.Document(
            id=document,
            user_id=ALICE.id,
            name="水.md",
            title="水",
            sha256="c" * 64,
            details={"subject": "生物", "grade": 8, "none": None},
            newest=1,
            current=None,
            created_at=moment,
            updated_at=moment,
        ),
        knowledge.Tag(document_id=document, tag="生物"),
        knowledge.Version(
            id=version,
            document_id=document,
            number=1,
            sha256="c" * 64,
            size=2**40,
            state="indexing",
            due_at=moment,
            created_at=moment,
        ),
        knowledge.Chunk(
            version_id=version,
            ordinal=0,
            point_id=UUID(int=2**127 + 5),
            start_offset=0,
            end_offset=3,
            content="水循环",
            page=None,
            headings=["一", '"二"'],
            tokens=3,
            embedding_key="d" * 64,
            terms=["水", "水循", "cycle", "1.5", "it's", "a\\b", terms.of_owner(ALICE.id)],
        ),
        knowledge.Embedding(
            key="d" * 64, model="m", dimension=2, vector=b"\0\1\xff\0\0\0\0\0", created_at=moment
        ),
        knowledge.VectorIndex(
            collection="c", model="m", dimension=2, state="retired", created_at=moment
        ),
        knowledge.Turn(user_id=1, taken_at=moment),
        knowledge.Removal(version_id=version, due_at=moment),
        knowledge.Search(id=-(2**40), query="旧", hits=[], milliseconds=0.0, **searched),
        knowledge.Search(id=7, query="new", hits=[{"a": 1}], milliseconds=0.1, **searched),
        knowledge.Feedback(search_id=7, rank=1, useful=True, comment=None, created_at=moment),
    ]


# As an import leaves them. `odd` was there under a name that SQLite keeps for itself by now.
SPACES = (
    "CREATE TABLE Spaces (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user_id INTEGER REFERENCES users (id),"
    " note VARCHAR(9) COLLATE NOCASE DEFAULT ';\n', made DATETIME, raw BLOB,"
    " twice INTEGER GENERATED ALWAYS AS (id * 2),"
    " FOREIGN KEY (user_id) REFERENCES nothing (id) ON DELETE CASCADE)"
)
BY_NOTE = "CREATE UNIQUE INDEX by_note ON Spaces (note) WHERE note <> ';\n'"
LEGACY = (
    "CREATE SCHEMA legacy",
    'CREATE TABLE legacy."Spaces" (id bigint PRIMARY KEY, user_id integer, note text,'
    " made timestamptz, raw bytea)",
    "INSERT INTO legacy.\"Spaces\" VALUES (7, 999, 'a', '2024-05-05 08:00:00.5+08', '\\x00ff'),"
    " (8, 1, NULL, NULL, NULL)",
    "CREATE TABLE legacy.users (id integer PRIMARY KEY, nickname text)",
    "INSERT INTO legacy.users VALUES (1, 'al')",
    "COMMENT ON TABLE legacy.users IS '-- columns of \"users\" that the target lacks'",
    "CREATE TABLE legacy.import_quarantine (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " source_key jsonb NOT NULL)",
    "INSERT INTO legacy.import_quarantine (source_key) VALUES ('{\"id\": 1}'), ('5')",
    "CREATE TABLE legacy.import_quarantine_values (quarantine_id bigint REFERENCES"
    " legacy.import_quarantine ON DELETE CASCADE, column_name text, value bytea,"
    " PRIMARY KEY (quarantine_id, column_name))",
    "INSERT INTO legacy.import_quarantine_values VALUES (1, 'x', '\\x00')",
    "CREATE TABLE legacy.plain (a smallint, b double precision, c numeric(50, 30), d uuid, e date,"
    " f real, g boolean, h bigint, i char(3), j text[], k time)",
    "INSERT INTO legacy.plain VALUES (-1, 'Infinity', 1.100000000000000000000000000001,"
    " '0f0e0d0c-0b0a-0908-0706-050403020100', '1999-12-31', 0.5, true, -9223372036854775808, 'ab',"
    " '{x,y}', '23:59:59.5')",
    "INSERT INTO legacy.plain VALUES (NULL)",
    "CREATE TABLE public.extra (n integer)",
    "CREATE TABLE legacy.extra (n integer)",
)


def keep(settings: Settings) -> None:
    """Makes the schema `legacy` as an import leaves it."""
    execute(settings, *LEGACY)
    statement = f"{SPACES};\n{BY_NOTE};\nCREATE INDEX odd ON Spaces (of_its_program(note))"
    escaped = statement.replace("'", "''").replace("%", "%%")
    execute(settings, f"COMMENT ON TABLE legacy.\"Spaces\" IS '{escaped}'")


def execute(settings: Settings, *statements: str) -> None:
    """As the owner."""
    direct = engine.build_direct(settings, name="test")
    with direct.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    direct.dispose()


def query(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def embedded(settings: Settings, file: Path) -> Settings:
    """Settings of a service that runs on the file."""
    folder = file.parent / "data"
    folder.mkdir()
    file.rename(folder / "mindgraph.db")
    return settings.model_copy(update={"data_dir": folder, "database_host": None})


def tables_of(done: Exported) -> dict[str, tuple[str, int]]:
    return {one.name: (f"{one.schema}.{one.table}", one.rows) for one in done.tables}
