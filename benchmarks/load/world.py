"""Databases full of people and diagrams, and requests that those people send."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import clock
from app.auth import sessions
from app.auth.dependencies import SESSION_COOKIE
from app.cache import client as clients
from app.db import engine as engines
from app.db.session import Database
from app.diagrams import indexing
from app.diagrams.models import Diagram, DiagramText
from app.settings import Settings
from app.usage.models import TokenUsage
from app.users.models import User
from benchmarks.load.generator import Request

# Of a length that people's diagrams have.
NODES = 30
WORDS = [
    "光合作用",
    "水循环",
    "细胞",
    "lever",
    "pressure",
    "压强",
    "energy",
    "能量守恒",
    "photosynthesis",
    "二氧化碳",
    "oxygen",
    "氧气",
    "gravity",
    "重力",
    "friction",
    "摩擦",
    "planet",
    "行星",
    "history",
    "历史",
    "dynasty",
    "唐朝",
    "river",
    "长江",
]
BATCH = 2_000


@dataclass(frozen=True)
class Person:
    """Somebody with a session, and the ids of some of the own diagrams."""

    id: int
    token: str
    diagrams: tuple[str, ...]

    def headers(self) -> tuple[tuple[str, str], ...]:
        # An address of its own, as behind the proxy: limits count those as well.
        address = f"10.{self.id >> 16 & 255}.{self.id >> 8 & 255}.{self.id & 255}"
        return (("Cookie", f"{SESSION_COOKIE}={self.token}"), ("X-Forwarded-For", address))


def spec(chance: random.Random, nodes: int = NODES) -> dict[str, Any]:
    texts = [" ".join(chance.choices(WORDS, k=3)) for _ in range(nodes)]
    return {"topic": texts[0], "children": [{"text": text} for text in texts[1:]]}


def people(
    settings: Settings, count: int, diagrams: int, seed: int = 1, role: str = "user"
) -> list[Person]:
    """People who register and save: each with `diagrams` diagrams, of which some ids are kept."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    database = Database(engines.build(settings, name="bench", threads=1))
    redis = clients.build(settings)
    try:
        with database.begin() as session:
            ids = _register(session, count, role)
        found: dict[int, list[str]] = {one: [] for one in ids}
        rows = _rows(chance, [one for one in ids for _ in range(diagrams)])
        for batch in _batches(rows, BATCH):
            with database.begin() as session:
                session.execute(insert(Diagram), [row for row, _ in batch])
                session.execute(insert(DiagramText), [text for _, text in batch])
            for row, _ in batch:
                found[row["user_id"]].append(row["id"])
        return [
            Person(one, sessions.create(redis, settings, one), tuple(found[one][:50]))
            for one in ids
        ]
    finally:
        redis.close()
        database.close()


def use_models(settings: Settings, folk: Sequence[Person], rows: int, seed: int = 4) -> None:
    """Stores calls of models over the last year, in the order of their time."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    began, step = clock.now() - timedelta(days=365), timedelta(days=365) / rows
    database = Database(engines.build(settings, name="bench", threads=1))
    calls = (_call(chance, folk, began + number * step) for number in range(rows))
    try:
        for batch in _batches(calls, BATCH):
            with database.begin() as session:
                session.execute(insert(TokenUsage), batch)
    finally:
        database.close()


def _call(chance: random.Random, folk: Sequence[Person], moment: datetime) -> dict[str, Any]:
    asked, answered = chance.randrange(4_000), chance.randrange(900)
    return {
        "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "user_id": chance.choice(folk).id,
        "organization_id": 1,
        "model_provider": "bench",
        "model_name": f"model-{chance.randrange(10)}",
        "input_tokens": asked,
        "output_tokens": answered,
        "total_tokens": asked + answered,
        "total_cost": 0.001,
        "request_type": "diagram_generation",
        "created_at": moment,
    }


def forget_copies(settings: Settings) -> None:
    """So that each diagram is read from the database when it is asked for next."""
    redis = clients.build(settings)
    try:
        for key in redis.scan_iter("diagrams:*", count=1_000):
            redis.delete(key)
    finally:
        redis.close()


def _register(session: Session, count: int, role: str) -> list[int]:
    now = clock.now()
    rows = [
        {
            "login": f"{uuid.uuid4().hex}@bench.org",
            "password_hash": "none",
            "organization_id": 1,
            "role": role,
            "created_at": now,
        }
        for _ in range(count)
    ]
    return list(
        session.scalars(insert(User).returning(User.id, sort_by_parameter_order=True), rows)
    )


def _rows(
    chance: random.Random, owners: Sequence[int]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """A diagram and its text for each owner, all of the last year."""
    began = clock.now() - timedelta(days=365)
    # As many different ones as a test of a cache needs; to make each one anew would take hours.
    specs = [spec(chance) for _ in range(200)]
    for owner in owners:
        moment = began + timedelta(seconds=chance.randrange(365 * 86_400))
        yield _row(chance, owner, chance.choice(specs), moment)


def _row(
    chance: random.Random, owner: int, content: dict[str, Any], moment: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    title = " ".join(chance.choices(WORDS, k=4))
    made = indexing.prepare(owner, title, content)
    diagram_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    row = {
        "id": diagram_id,
        "user_id": owner,
        "title": title,
        "diagram_type": "mind_map",
        "language": "zh",
        "spec": content,
        "created_at": moment,
        "updated_at": moment,
    }
    text = {
        "diagram_id": diagram_id,
        "content": made.content,
        "terms": made.terms,
        "source_updated_at": moment,
    }
    return row, text


def _batches(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


# Requests


def reads(folk: Sequence[Person], each: int = 10) -> list[Request]:
    return [
        Request("GET", f"/api/diagrams/{one.diagrams[at]}", one.headers())
        for at in range(each)
        for one in folk
        if at < len(one.diagrams)
    ]


def lists(folk: Sequence[Person]) -> list[Request]:
    return [Request("GET", "/api/diagrams?limit=20", one.headers()) for one in folk]


def filtered_lists(folk: Sequence[Person]) -> list[Request]:
    """Of such pages no copies are kept."""
    return [Request("GET", "/api/diagrams?limit=20&language=zh", one.headers()) for one in folk]


def searches(folk: Sequence[Person]) -> list[Request]:
    return [Request("GET", "/api/diagrams?q=energy", one.headers()) for one in folk]


def creations(folk: Sequence[Person], seed: int = 2) -> list[Request]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [Request("POST", "/api/diagrams", one.headers(), body(chance)) for one in folk]


def saves(folk: Sequence[Person], seed: int = 3) -> list[Request]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [
        Request(
            "PUT",
            f"/api/diagrams/{one.diagrams[0]}",
            (*one.headers(), ("If-Match", "*")),
            body(chance),
        )
        for one in folk
        if one.diagrams
    ]


def usages(folk: Sequence[Person]) -> list[Request]:
    event = {"model_provider": "bench", "model_name": "m", "input_tokens": 900, "output_tokens": 80}
    sent = json.dumps({"events": [event]}).encode()
    return [Request("POST", "/api/usage", one.headers(), sent) for one in folk]


def body(chance: random.Random) -> bytes:
    made = {"title": " ".join(chance.choices(WORDS, k=4)), "diagram_type": "mind_map"}
    return json.dumps(made | {"spec": spec(chance)}).encode()


def report(person: Person) -> Request:
    """A year of everybody's usage, for an administrator."""
    last = clock.now().date()
    period = f"from={last - timedelta(days=365)}&to={last}"
    path = f"/api/usage/statistics?{period}&scope=everybody&group_by=day,model"
    return Request("GET", path, person.headers())
