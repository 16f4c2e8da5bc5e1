"""A big old SQLite file in the shape of real ones, the same at every making.

Its rows are clean, with no orphan and no bad value, so that every contender can load all of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "import_sqlite"
SQL = ("source.sql", "indexes.sql", "full_text.sql")
# Rows of each table at full size, parents before children.
ROWS = {
    "organizations": 120,
    "users": 20_000,
    "api_keys": 60,
    "embeddings": 6_000,
    "dashboard_activities": 120_000,
    "update_notifications": 3,
    "update_notification_dismissed": 20_000,
    "token_usage": 1_000_000,
    "diagrams": 20_000,
    "knowledge_spaces": 4_000,
    "document_batches": 1_000,
    "chunk_test_results": 200,
    "chunk_test_documents": 300,
    "debate_sessions": 500,
    "pinned_conversations": 8_000,
    "shared_diagrams": 4_000,
    "knowledge_documents": 9_000,
    "knowledge_queries": 70_000,
    "query_templates": 1_000,
    "evaluation_datasets": 100,
    "chunk_test_document_chunks": 6_000,
    "debate_participants": 3_000,
    "shared_diagram_likes": 30_000,
    "shared_diagram_comments": 12_000,
    "document_chunks": 70_000,
    "document_versions": 3_000,
    "query_feedback": 6_000,
    "document_relationships": 2_500,
    "evaluation_results": 2_000,
    "debate_messages": 12_000,
    "debate_judgments": 500,
    "chunk_attachments": 2_000,
    "child_chunks": 90_000,
}
SENTENCES = (
    "本节课的教学目标是让学生理解水循环的四个环节：蒸发、凝结、降水和径流。",
    "植物通过光合作用把光能转化为化学能，并储存在葡萄糖中。",
    "教师可以先提问，再让学生分组讨论，最后用思维导图总结。🙂",
    "A quadratic function y=ax²+bx+c has its vertex at x=-b/(2a).",
    "1840年鸦片战争爆发，1842年签订《南京条约》，中国开始沦为半殖民地半封建社会。",
    "“学而不思则罔，思而不学则殆。”——《论语》",
    "Tabs\tand\nnew lines, back\\slashes, 'quotes' and 50 % are text as well.",
)
TOPICS = ("光合作用", "二次函数", "水循环", "红楼梦人物", "Food Chain 👨‍👩‍👧‍👦", "中国传统节日")
KINDS = ("mind_map", "bubble_map", "circle_map", "flow_map", "tree_map", "bridge_map")
MODELS = (
    ("dashscope", "qwen-plus-latest", "qwen"),
    ("dashscope", "deepseek-v3.1", "deepseek"),
    ("dashscope", "moonshot-v1-32k", "kimi"),
    ("volcengine", "doubao-1-5-pro-32k", "doubao"),
    ("tencent", "hunyuan-turbo", "hunyuan"),
)
REQUESTS = (
    ("diagram_generation", "/api/generate_graph"),
    ("node_palette", "/thinking_mode/node_palette/start"),
    ("autocomplete", "/api/tab_suggestions"),
    ("mindmate", "/api/ai_assistant/stream"),
)
FIRST_DAY = datetime(2024, 9, 12)  # noqa: DTZ001 - the file has no time zones
DAYS = 500
COLUMN = re.compile(r'^ {4}"?(\w+)"? ([A-Z]+)(?:\((\d+)\))?( NOT NULL)?,?$', re.MULTILINE)
TABLE = re.compile(r"^CREATE TABLE (\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
PARENT = re.compile(r'FOREIGN KEY\("?(\w+)"?\) REFERENCES (\w+)')
Value = str | int | float | bytes | None
Make = Callable[[random.Random, int], Value]


def made(scale: float = 1.0, folder: Path = BUILD) -> Path:
    """The file, made if this version of it isn't there yet. `scale` is a part of its rows."""
    text = b"".join((HERE / name).read_bytes() for name in ("source.py", *SQL))
    version = hashlib.sha256(text).hexdigest()[:12]
    file = folder / f"source-{version}-{scale:g}.db"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        _make(unfinished, counts(scale))
        unfinished.rename(file)
    return file


def counts(scale: float) -> dict[str, int]:
    return {table: max(2, round(number * scale)) for table, number in ROWS.items()}


def _make(file: Path, rows: dict[str, int]) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        tables, indexes, full_text = ((HERE / name).read_text(encoding="utf-8") for name in SQL)
        connection.executescript(tables)
        connection.execute("BEGIN")
        for table, body in TABLE.findall(tables):
            width = len(COLUMN.findall(body))
            marks = ", ".join("?" * width)
            connection.executemany(
                f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608
                _rows(table, body, rows),
            )
        connection.execute("COMMIT")
        connection.executescript(indexes)
        connection.executescript(full_text)
        connection.execute(
            "INSERT INTO document_chunks_fts5(document_chunks_fts5) VALUES('rebuild')"
        )
        connection.execute("PRAGMA journal_mode=WAL")


def _rows(table: str, body: str, rows: dict[str, int]) -> Iterator[tuple[Value, ...]]:
    source = random.Random(table)  # noqa: S311
    if table == "token_usage":
        yield from _token_usage(source, rows)
        return
    parents = dict(PARENT.findall(body))
    makers = [
        SPECIAL.get((table, name))
        or _maker(table, name, declared, int(length or 0), not required, parents.get(name), rows)
        for name, declared, length, required in COLUMN.findall(body)
    ]
    for number in range(1, rows[table] + 1):
        yield tuple(make(source, number) for make in makers)


def _token_usage(source: random.Random, rows: dict[str, int]) -> Iterator[tuple[Value, ...]]:
    chance, below = source.random, source.randrange
    for number in range(1, rows["token_usage"] + 1):
        taken, given = below(50, 6000), below(50, 4500)
        provider, model, alias = MODELS[below(len(MODELS))]
        request, path = REQUESTS[below(len(REQUESTS))]
        paid, earned = round(taken * 0.0000004, 6), given * 0.0000012
        yield (
            number,
            below(rows["users"]) + 1 if chance() > 0.08 else None,
            below(rows["organizations"]) + 1 if chance() > 0.08 else None,
            below(rows["api_keys"]) + 1 if chance() < 0.05 else None,
            f"session_{source.getrandbits(64):016x}",
            _uuid("conversation", number // 7) if chance() < 0.3 else None,
            provider,
            model,
            alias,
            taken,
            given,
            taken + given,
            paid,
            earned,
            paid + earned,
            request,
            KINDS[below(len(KINDS))] if chance() < 0.8 else None,
            path,
            1 if chance() < 0.97 else 0,
            chance() * 30,
            _time(number / rows["token_usage"], number),
        )


def _maker(
    table: str,
    name: str,
    declared: str,
    length: int,
    may_be_null: bool,
    parent: str | None,
    rows: dict[str, int],
) -> Make:
    plain = _parent(parent, length, rows) if parent else _plain(table, name, declared, length, rows)
    if not may_be_null or name == "created_at":
        return plain
    return lambda source, number: plain(source, number) if source.random() < 0.8 else None


def _parent(parent: str, length: int, rows: dict[str, int]) -> Make:
    count = rows[parent]
    if length:
        return lambda source, _: _uuid(parent, source.randrange(count) + 1)
    return lambda source, _: source.randrange(count) + 1


def _plain(table: str, name: str, declared: str, length: int, rows: dict[str, int]) -> Make:
    if name == "id":
        return (lambda _, number: _uuid(table, number)) if length else (lambda _, number: number)
    if name == "user_id":
        return lambda source, _: source.randrange(rows["users"]) + 1
    if declared == "DATETIME":
        return lambda source, number: _time(source.random(), number)
    if declared == "VARCHAR" and length == 36:
        return lambda _, number: _uuid(name, number)
    return BY_TYPE[declared]


@cache
def _uuid(kind: str, number: int) -> str:
    made = hashlib.md5(f"{kind} {number}".encode(), usedforsecurity=False).hexdigest()
    return f"{made[:8]}-{made[8:12]}-4{made[13:16]}-a{made[17:20]}-{made[20:]}"


def _time(part: float, number: int) -> str:
    """Naive UTC, as SQLAlchemy writes it; `part` of the time that the file spans."""
    return f"{_day(int(part * DAYS))} {_clock(number % 86_400)}.{number * 7919 % 1_000_000:06}"


@cache
def _day(day: int) -> str:
    return (FIRST_DAY + timedelta(days=day)).date().isoformat()


@cache
def _clock(second: int) -> str:
    return (FIRST_DAY + timedelta(seconds=second)).time().isoformat()


def _paragraph(most: int) -> Make:
    return lambda source, _: "".join(source.choices(SENTENCES, k=source.randint(1, most)))


def _json(source: random.Random, number: int) -> str:
    if number % 9 == 0:
        return "null"
    value = {"document_id": number, "标题": source.choice(TOPICS), "score": source.random()}
    return json.dumps(value, ensure_ascii=number % 2 == 0)


def _spec(source: random.Random, number: int) -> str:
    """2 to 20 kB, most of them short."""
    kind, topic = source.choice(KINDS), source.choice(TOPICS)
    nodes = [
        {
            "id": f"n{at}",
            "text": f"{topic} {at}",
            "type": "branch",
            "position": {"x": round(source.random() * 900, 2), "y": source.random() * 600},
            "style": {"backgroundColor": "#E3F2FD", "fontSize": 14 + at % 5, "bold": at % 2 == 0},
        }
        for at in range(int(10 + 90 * source.random() ** 6))
    ]
    spec = {"type": kind, "topic": topic, "nodes": nodes, "version": 1.0}
    return json.dumps(spec, ensure_ascii=number % 3 == 0)


def _pickle(source: random.Random, _: int) -> bytes:
    """What Python's pickle makes of a list of 768 floats."""
    floats = b"".join(b"G" + struct.pack(">d", math.sin(source.random())) for _ in range(768))
    body = b"]\x94(" + floats + b"e."
    return b"\x80\x05\x95" + struct.pack("<Q", len(body)) + body


def _word(source: random.Random, number: int) -> str:
    # Most such columns hold one of a few words.
    return f"{source.choice(TOPICS)} {number % 40}"


BY_TYPE: dict[str, Make] = {
    "BLOB": _pickle,
    "BOOLEAN": lambda source, _: source.randrange(2),
    "FLOAT": lambda source, number: source.random() * 10 ** (number % 7 - 2),
    "INTEGER": lambda source, _: source.randrange(5_000),
    "JSON": _json,
    "TEXT": _paragraph(3),
    "VARCHAR": _word,
}


def _one_of(*values: Value) -> Make:
    return lambda _, number: values[number % len(values)]


def _status() -> Make:
    return _one_of("completed", "completed", "pending", "processing", "failed")


# Columns that their type and name don't tell enough about, most of them for a unique constraint.
SPECIAL: dict[tuple[str, str], Make] = {
    ("organizations", "code"): lambda _, number: f"SCHOOL-{number:04}",
    ("users", "phone"): lambda _, number: f"{13_900_000_000 + number}",
    ("users", "password_hash"): lambda _, number: f"$2b$12${_uuid('hash', number)}{number:017}",
    ("users", "avatar"): _one_of("🌱", "👩‍🏫", "🐼"),
    ("users", "role"): _one_of("user", "user", "manager", "admin"),
    ("api_keys", "key"): lambda _, number: f"mg_{_uuid('key', number)}",
    ("embeddings", "hash"): lambda _, number: _uuid("embedding", number),
    ("update_notification_dismissed", "user_id"): lambda _, number: number,
    ("update_notification_dismissed", "version"): _one_of("5.11.0", "5.12.0", "5.13.0"),
    ("dashboard_activities", "user_name"): _one_of("曾**", "何**", "A***"),
    ("dashboard_activities", "action"): _one_of("generated", "edited", "exported"),
    ("dashboard_activities", "diagram_type"): _one_of(*KINDS),
    ("diagrams", "diagram_type"): _one_of(*KINDS),
    ("diagrams", "language"): _one_of("zh", "zh", "en"),
    ("diagrams", "spec"): _spec,
    ("diagrams", "thumbnail"): _one_of(None),
    ("shared_diagrams", "diagram_data"): _spec,
    ("shared_diagrams", "thumbnail"): _one_of(None),
    ("knowledge_spaces", "user_id"): lambda _, number: number,
    ("document_batches", "status"): _status(),
    ("chunk_test_results", "status"): _status(),
    ("chunk_test_documents", "status"): _status(),
    ("knowledge_documents", "file_name"): lambda _, number: f"教案 {number}.docx",
    ("knowledge_documents", "status"): _status(),
    ("knowledge_documents", "language"): _one_of("zh", "en", None),
    ("document_chunks", "text"): _paragraph(18),
    ("document_versions", "document_id"): lambda _, number: (number + 2) // 3,
    ("document_versions", "version_number"): lambda _, number: number % 3,
    ("document_relationships", "source_document_id"): lambda _, number: number,
    ("query_feedback", "feedback_type"): _one_of("positive", "neutral", "negative"),
    ("shared_diagram_likes", "diagram_id"): lambda _, number: _uuid(
        "shared_diagrams", (number + 7) // 8
    ),
    ("shared_diagram_likes", "user_id"): lambda _, number: number % 8 + 1,
    ("debate_messages", "parent_message_id"): lambda source, number: (
        source.randrange(1, number) if number % 3 == 0 else None
    ),
    ("debate_participants", "side"): _one_of("affirmative", "negative", None),
    ("debate_judgments", "session_id"): lambda _, number: _uuid("debate_sessions", number),
    ("debate_judgments", "winner_side"): _one_of("affirmative", "negative", None),
}
