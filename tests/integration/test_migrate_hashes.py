"""What is computed here of many values at once is what PostgreSQL computes of each."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import canon, hashes, moments
from app.ops.migrate.shown import Unreadable
from tests import databases
from tests.servers import Servers

SEEDS = st.one_of(st.just(0), st.integers(-(2**63), 2**63 - 1))
ONCE = examples(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def cursor(servers: Servers) -> Iterator[Cursor]:
    with databases.superuser(servers) as connection, closing(connection.cursor()) as made:
        yield made


def asked(cursor: Cursor, call: str, values: list[Any], seeds: list[int]) -> list[int]:
    """What the server has for each value and seed, called v and s in the call."""
    cursor.execute(
        f"SELECT {call} FROM unnest(%s, %s::int8[]) WITH ORDINALITY AS t (v, s, at) ORDER BY at",
        [values, seeds],
    )
    return [number for (number,) in cursor.fetchall()]


def unsigned(seeds: list[int]) -> NDArray[np.uint64]:
    return np.array(seeds, dtype=np.int64).view(np.uint64)


def signed(hashed: NDArray[np.uint64]) -> list[int]:
    found: list[int] = hashed.view(np.int64).tolist()
    return found


def of_texts(texts: list[str], seeds: list[int]) -> NDArray[np.uint64]:
    raw = [one.encode() for one in texts]
    lengths = np.array([len(one) for one in raw])
    width = (int(lengths.max()) // hashes.BLOCK + 1) * hashes.BLOCK
    words = np.array(raw, dtype=f"S{width}").view("<u4").reshape(len(raw), -1)
    return hashes.of_words(words.T, lengths, unsigned(seeds))


@ONCE
@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), SEEDS), min_size=1))
def test_hashes_of_whole_numbers(cursor: Cursor, pairs: list[tuple[int, int]]) -> None:
    values, seeds = [one for one, _ in pairs], [seed for _, seed in pairs]
    found = hashes.of_integers(np.array(values, dtype=np.int64), unsigned(seeds))
    assert signed(found) == asked(cursor, "hashint8extended(v::int8, s)", values, seeds)


@ONCE
@given(st.lists(st.tuples(st.floats(allow_nan=False), SEEDS), min_size=1))
def test_hashes_of_floats(cursor: Cursor, pairs: list[tuple[float, int]]) -> None:
    values, seeds = [one for one, _ in pairs], [seed for _, seed in pairs]
    found = hashes.of_floats(np.array(values), unsigned(seeds))
    texts = list(map(repr, values))
    assert signed(found) == asked(cursor, "hashfloat8extended(v::float8, s)", texts, seeds)


def test_hashes_of_texts_of_every_length(cursor: Cursor) -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices("aZ 0é水🎓", k=at)) for at in range(70)]
    texts += ["x" * at for at in range(221)]
    chance.shuffle(texts)
    seeds = [chance.choice([0, chance.randrange(-(2**63), 2**63)]) for _ in texts]
    expected = asked(cursor, 'hashtextextended(v::text COLLATE "C", s)', texts, seeds)
    assert signed(of_texts(texts, seeds)) == expected
    assert signed(of_texts(texts[:1], seeds[:1])) == expected[:1]


def test_more_values_than_are_taken_at_once(cursor: Cursor) -> None:
    texts = [f"{at:x}" * (at % 9) for at in range(2 * hashes.AT_ONCE + 3)]
    seeds = list(range(len(texts)))
    found = of_texts(texts, seeds)
    assert signed(found) == asked(cursor, "hashtextextended(v::text, s)", texts, seeds)
    total = sum(signed(found))
    assert hashes.total(found) == total


@pytest.mark.parametrize("values", [[], [0], [-1], [-(2**63)] * 5, [2**63 - 1] * 5, [-1, 2, 2**40]])
def test_totals_are_sums_of_bigints(values: list[int]) -> None:
    assert hashes.total(np.array(values, dtype=np.int64).view(np.uint64)) == sum(values)


@ONCE
@given(st.lists(st.tuples(st.datetimes(), st.sampled_from(" T")), min_size=1))
def test_usual_times_are_read_to_the_microsecond(pairs: list[tuple[datetime, str]]) -> None:
    found, left = moments.read([one.isoformat(between) for one, between in pairs])
    assert len(left) == 0
    start = datetime(2000, 1, 1, tzinfo=UTC)
    times = [one.replace(tzinfo=UTC) - start for one, _ in pairs]
    expected = [((one.days * 86_400) + one.seconds) * 10**6 + one.microseconds for one in times]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "odd",
    [
        *(
            "2026-02-29 00:00:00",
            "2026-00-01 00:00:00",
            "2026-13-01 00:00:00",
            "0000-01-01 00:00:00",
        ),
        *(
            "2026-01-00 00:00:00",
            "2026-01-01 24:00:00",
            "2026-01-01 00:60:00",
            "1900-02-29 00:00:00",
        ),
        *("2026-01-01 00:00:60", "2026-01-01 00:00:00.12345", "2026-01-01 00:00:00.1234567"),
        *("2026-01-01 00:00:00,123456", "2026-01-01  00:00:00", "2026/01/01 00:00:00"),
        *("now", ""),
        *("2026-01-01 00:00:0a", "２026-01-01 00:00:00", "2026-01-01 00:00:00.12345a", 5, b"2026"),
        *("2026-01-01 00:00:00\0\0\0", "2026-01-01 00:00:00Z", "+026-01-01 00:00:00"),
    ],
)
def test_other_times_are_left_to_others(odd: Any) -> None:
    usual = "2024-02-29 23:59:59.999999"
    assert 1 in moments.read([usual, odd, usual])[1]


def numbers() -> st.SearchStrategy[str]:
    """As JSON has them, in every form."""
    exponents = st.one_of(st.just(""), st.from_regex(r"[eE][+-]?[0-9]{1,2}", fullmatch=True))
    plain = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,12})?", fullmatch=True)
    return st.builds(str.__add__, plain, exponents)


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, max_size=8)


def documents() -> st.SearchStrategy[str]:
    texts = st.builds(json.dumps, TEXTS, ensure_ascii=st.booleans())
    scalars = st.one_of(texts, numbers(), st.sampled_from(["true", "false", "null"]))
    spaces = st.sampled_from(["", " ", "\n\t"])

    def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        arrays = st.builds(
            lambda parts, space: f"[{space}{(',' + space).join(parts)}{space}]",
            st.lists(inner, max_size=5),
            spaces,
        )
        objects = st.builds(
            lambda pairs, space: (
                "{"
                + (space + ",").join(
                    f"{json.dumps(key, ensure_ascii=len(key) % 2 == 0)}{space}:{space}{value}"
                    for key, value in pairs.items()
                )
                + space
                + "}"
            ),
            st.dictionaries(TEXTS, inner, max_size=6),
            spaces,
        )
        return st.one_of(arrays, objects)

    return st.recursive(scalars, containers, max_leaves=20)


@ONCE
@given(st.lists(documents(), min_size=1, max_size=30))
def test_documents_are_shown_as_jsonb_shows_them(cursor: Cursor, texts: list[str]) -> None:
    cursor.execute(
        "SELECT v::jsonb::text FROM unnest(%s) WITH ORDINALITY AS given (v, at) ORDER BY at",
        [texts],
    )
    expected = [shown for (shown,) in cursor.fetchall()]
    assert [canon.canonical(one) for one in texts] == expected
    # The way of deep documents, which is taken where nothing else can be.
    assert [canon.one_by_one(one) for one in texts] == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "[", "]", "[1,]", "[,1]", "[1 2]", "{", '{"a"}', '{"a":}', '{"a":1,}', "{1:2}"),
        *('{"a" 1}', '{"a":1 "b":2}', '{"a":1:2}', '["a":1]', "[1}", '{"a":1]', "1 2", "01", "1."),
        *("nul", "NaN", "-Infinity", "'a'", '"\n"', '"\\x"', "[[1]", "[1]]", ",", ":", '{"a",1}'),
        *('{"a":"b":"c"}', "[]1", '{"a":1}{}', "+1", ".5", "1e", "\ufeff1", "{:1}", "{,}", "-"),
    ],
)
def test_what_is_no_json_has_no_form(text: str) -> None:
    for read in (canon.canonical, canon.one_by_one):
        with pytest.raises(Unreadable):
            read(text)
