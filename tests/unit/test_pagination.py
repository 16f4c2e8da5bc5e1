import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http import pagination
from app.http.pagination import InvalidCursor

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=ZONES,
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
KINDS: list[type[bool | int | str | datetime]] = [bool, int, str, datetime]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
)


def as_cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@given(pinned=st.booleans(), moment=MOMENTS, number=NUMBERS, row_id=IDS)
def test_a_cursor_gives_back_what_it_was_made_of(
    pinned: bool, moment: datetime, number: int, row_id: str
) -> None:
    cursor = pagination.encode(pinned, moment, number, row_id)
    found = pagination.decode(cursor, bool, datetime, int, str)
    assert found == (pinned, moment, number, row_id)
    assert found[1].tzinfo is UTC
    assert [type(one) for one in found] == [bool, datetime, int, str]


@given(moment=MOMENTS, row_id=st.uuids().map(str))
def test_a_cursor_is_short_and_needs_no_quoting_in_a_url(moment: datetime, row_id: str) -> None:
    cursor = pagination.encode(False, moment, row_id)
    assert len(cursor) <= 200
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


@given(st.text(max_size=300), st.lists(st.sampled_from(KINDS), max_size=4))
def test_garbage_is_an_invalid_cursor_and_nothing_worse(
    garbage: str, kinds: list[type[bool | int | str | datetime]]
) -> None:
    with suppress(InvalidCursor):
        pagination.decode(garbage, *kinds)


@given(ANYTHING)
def test_other_json_is_an_invalid_cursor(value: object) -> None:
    with pytest.raises(InvalidCursor):
        pagination.decode(as_cursor(value), datetime, str)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([True], [int]),
        ([1], [bool]),
        ([1.0], [int]),
        (["1"], [int]),
        ([1], [str]),
        ([None], [str]),
        ([2**63], [int]),
        ([-(2**63) - 1], [int]),
        (["a\x00"], [str]),
        (["\ud800"], [str]),
        (["2026-01-01T00:00:00"], [datetime]),
        (["no moment"], [datetime]),
        ([1], [datetime]),
        ([1], [int, int]),
        ([1, 2], [int]),
        ([], [int]),
        ({"0": 1}, [str]),
        ("a", [str]),
        (["a" * 200], [str]),
    ],
)
def test_values_of_another_kind_or_number_are_an_invalid_cursor(
    values: object, kinds: list[type[bool | int | str | datetime]]
) -> None:
    with pytest.raises(InvalidCursor):
        pagination.decode(as_cursor(values), *kinds)


@given(st.tuples(st.datetimes(timezones=ZONES | st.none()).map(datetime.isoformat), st.text()))
def test_what_looks_like_a_cursor_can_be_used_or_is_refused(value: tuple[str, str]) -> None:
    try:
        at, row_id = pagination.decode(as_cursor(value), datetime, str)
    except InvalidCursor:
        return
    # What is handed to the database must pass through it.
    assert at.astimezone(UTC) == at
    assert "\x00" not in row_id
    row_id.encode()
