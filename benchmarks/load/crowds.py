"""Tables with as many rows as it takes, made by the database itself: by the service it would take
hours."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from psycopg2 import extensions, extras

from app.diagrams import indexing
from benchmarks.load import world

# Every diagram is a copy of one of these, each of which has an owner and a title of its own.
PATTERNS = """
    CREATE TABLE IF NOT EXISTS patterns (
        owner int, title text, spec jsonb, content text, terms tsvector)"""
PATTERN = "(%s, %s, %s, %s, array_to_tsvector(%s::text[]))"
DIAGRAMS = """
    WITH made AS (
        INSERT INTO diagrams
            (id, user_id, title, diagram_type, language, spec, created_at, updated_at)
        SELECT gen_random_uuid()::text, owner, title, 'mind_map', 'zh', spec, at, at
        FROM patterns, generate_series(1, %(times)s) AS number,
            LATERAL (
                SELECT now() - (number + random()) * interval '1 year' / %(times)s AS at
            ) AS moment
        WHERE owner = ANY(%(owners)s)
        RETURNING id, user_id, title, updated_at)
    INSERT INTO diagram_texts (diagram_id, content, terms, source_updated_at)
    SELECT made.id, patterns.content, patterns.terms, made.updated_at
    FROM made JOIN patterns ON patterns.owner = made.user_id AND patterns.title = made.title"""
CALLS = """
    INSERT INTO token_usage (event_id, user_id, organization_id, model_provider, model_name,
        input_tokens, output_tokens, total_tokens, total_cost, request_type, created_at)
    SELECT gen_random_uuid()::text, (%(owners)s::int[])[1 + number %% %(people)s], 1, 'bench',
        'model-' || number %% 10, number %% 4000, number %% 900,
        number %% 4000 + number %% 900, 0.001, 'diagram_generation',
        now() - interval '1 year' + number * (interval '1 year' / %(rows)s)
    FROM generate_series(1, %(rows)s) AS number"""
# What only a few diagrams have, and so what one searches for.
RARE = "bernoulli"
RARE_EVERY = 50
# As many rows a statement as the server's memory likes.
CHUNK = 50_000


def prepare(cursor: extensions.cursor, owners: Sequence[int], each: int, nodes: int) -> None:
    """Patterns: `each` for every owner, with so many nodes."""
    chance = random.Random(5)  # noqa: S311 - no secret
    rows = []
    for number in range(len(owners) * each):
        owner = owners[number % len(owners)]
        title = f"{' '.join(chance.choices(world.WORDS, k=3))} {number}"
        if number % RARE_EVERY == 0:
            title += f" {RARE}"
        spec = world.spec(chance, nodes)
        text = indexing.prepare(owner, title, spec)
        rows.append((owner, title, json.dumps(spec), text.content, text.terms))
    cursor.execute(PATTERNS)
    extras.execute_values(cursor, "INSERT INTO patterns VALUES %s", rows, PATTERN)


def draw(cursor: extensions.cursor, owners: Sequence[int], each: int, count: int) -> None:
    """So many diagrams, the same number of each of the owners' patterns."""
    patterns = len(owners) * each
    left = count // patterns
    while left > 0:
        times = min(left, max(1, CHUNK // patterns))
        cursor.execute(DIAGRAMS, {"times": times, "owners": list(owners)})
        left -= times


def call(cursor: extensions.cursor, owners: Sequence[int], count: int) -> None:
    """So many calls of models, spread over a year."""
    cursor.execute(CALLS, {"rows": count, "people": len(owners), "owners": list(owners)})
