"""Documents for tests, and a worker's tools to take them to where a search finds them."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import update

from app import clock
from app.db import engine
from app.db.session import Database
from app.embedders.gate import Gate
from app.embedders.pool import Embedders
from app.knowledge import chunk_queries, indexes, ingestion, removals, service, storage
from app.knowledge.files import Files
from app.knowledge.models import Removal, Version
from app.knowledge.schemas import DocumentOut
from app.knowledge.search import Searcher
from app.knowledge.service import Upload
from app.knowledge.tools import Tools
from app.settings import Settings
from app.vectors import client, collections
from app.vectors.guard import Guard

NEVER = threading.Event()

WATER = """# 水循环

## 蒸发
太阳的热量使海洋、湖泊和河流中的水变成水蒸气，上升到大气中。这个过程叫做蒸发。

## 降水
水蒸气遇冷凝结成云，云中的小水滴越来越大，最后以雨或雪的形式落回地面。
"""
NOVEL = """# 红楼梦

## 人物
贾宝玉是贾府的公子，林黛玉是他的表妹，薛宝钗后来成了他的妻子。

## 结局
贾府被抄家，家道中落，宝玉最后出家。
"""
BACKUPS = """# Backups

## Schedule
A full copy of the database is written every night, and the log of changes is kept for a week.

## Restore
Stop the server, unpack the newest copy, replay the log up to the wanted moment, start again.
"""
PHOTOSYNTHESIS = """# Photosynthesis

## Light
Plants take in sunlight with the chlorophyll of their leaves. The energy splits water into
oxygen and hydrogen.

## Sugar
From carbon dioxide and hydrogen the plant makes glucose, which it stores as starch.
"""


@contextmanager
def tools(settings: Settings) -> Iterator[Tools]:
    """A worker's, with an index of their own in Qdrant, which is deleted afterwards."""
    with opened(settings) as made:
        prepare(made)
        try:
            yield made
        finally:
            delete_collections(made)


@contextmanager
def opened(settings: Settings) -> Iterator[Tools]:
    """A worker's, without an index."""
    database = Database(engine.build(settings, name="tools", threads=4))
    qdrant = client.build(settings)
    embedders = Embedders(settings)
    try:
        yield Tools(database, qdrant, Files(settings.files_dir), embedders, settings)
    finally:
        embedders.close()
        qdrant.close()
        database.close()


def prepare(tools: Tools) -> None:
    """Makes the index, as the service does when it starts."""
    chosen = tools.embedders.chosen()
    try:
        indexes.ensure(tools.database, model=chosen.model, dimension=chosen.dimension)
    finally:
        chosen.close()
    indexes.prepare(tools.database, tools.qdrant)


def delete_collections(tools: Tools) -> None:
    with tools.database.read() as session:
        retired = chunk_queries.list_retired(session)
    for name in (*(one.collection for one in indexes.list_(tools.database)), *retired):
        collections.delete(tools.qdrant, name)


def searcher(tools: Tools) -> Searcher:
    return Searcher(tools.database, tools.qdrant, tools.embedders, Gate(4), Guard(4))


def add(tools: Tools, user_id: int, content: str | bytes, name: str = "text.md") -> DocumentOut:
    """Uploads a document as a user would."""
    data = content.encode() if isinstance(content, str) else content
    with tools.files.receiving() as incoming:
        incoming.write(data)
        upload = Upload(incoming, name)
        return service.add(tools.database, tools.files, tools.settings, user_id, upload)[0]


def replace(
    tools: Tools, user_id: int, document_id: str, content: str, name: str = "text.md"
) -> DocumentOut:
    with tools.files.receiving() as incoming:
        incoming.write(content.encode())
        upload = Upload(incoming, name)
        return service.replace(
            tools.database, tools.files, tools.settings, user_id, document_id, upload
        )


def read(tools: Tools, user_id: int, document_id: str) -> DocumentOut:
    with tools.database.read() as session:
        return service.require(session, user_id, document_id)


def delete(tools: Tools, user_id: int, document_id: str) -> None:
    with tools.database.begin(frees_space=True) as session:
        doomed = service.delete(session, user_id, document_id)
    storage.delete(tools.database, tools.files, doomed)


def work(tools: Tools) -> None:
    """Does all that is due, as a worker does."""
    while ingestion.work_next(tools, NEVER) or removals.drain(tools.database, tools.qdrant):
        pass


def let_time_pass(database: Database, minutes: int = 10) -> None:
    """As if it were so much later for all that waits, and for the claims of dead workers."""
    past = clock.now() - timedelta(minutes=minutes)
    with database.begin() as session:
        for table, name in (
            (Version, "claimed_until"),
            (Version, "due_at"),
            (Removal, "due_at"),
        ):
            later = getattr(table, name) > past
            session.execute(update(table).where(later).values({name: past}))


def let_grace_pass(files: Files) -> None:
    """As if all files that are marked as unneeded had been so for longer than they are kept."""
    past = time.time() - storage.GRACE_S - 1
    for mark in (files.folder / "unneeded").iterdir():
        os.utime(mark, (past, past))


def long_text(name: str, passages: int = 3) -> str:
    """Of some passages, each with a word that stands nowhere else: `marker(name, number)`."""
    parts = [
        f"## Part {number}\n\nThe {marker(name, number)} is here. " + FILLING * 16
        for number in range(passages)
    ]
    return f"# {name}\n\n" + "\n\n".join(parts)


FILLING = "Somebody wrote this so that the passage is long enough to be one. "


def marker(name: str, number: int = 0) -> str:
    return f"{name.split('.')[0]}marker{number}"
