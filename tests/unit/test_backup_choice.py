"""Which backup a restore begins with."""

from datetime import UTC, datetime

import pytest
from host.backups import choosing, manifest
from host.backups.manifest import Database, Manifest, Point, Table, WrongManifest
from host.errors import WrongUse


def made(name: str, finished: str) -> Manifest:
    database = Database(f"{name}F", "full", "17", "1", finished, finished, 10, 5)
    point = Point(f"mindgraph-{name}", "0/1", finished)
    return Manifest(name, "p", "r", database, point, {"users": Table(1, "2")}, {})


FIRST = made("first", "2026-01-01T00:00:00Z")
SECOND = made("second", "2026-01-02T00:00:00Z")
BOTH = [FIRST, SECOND]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("2026-01-01T00:00:00Z", FIRST),
        ("2026-01-01T23:59:59.999999Z", FIRST),
        ("2026-01-02T08:00:00+08:00", SECOND),
        ("2026-01-02T07:59:59+08:00", FIRST),
        ("2026-01-03T00:00:00Z", SECOND),
    ],
)
def test_a_time_is_reached_from_the_newest_backup_that_was_whole_before_it(
    text: str, chosen: Manifest
) -> None:
    assert choosing.to_time(BOTH, text, None).manifest == chosen


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2025-12-31T23:59:59Z", "the oldest goes back to 2026-01-01T00:00:00Z"),
        ("2999-01-01T00:00:00Z", "still to come"),
        ("2026-01-01T00:00:00", "no time with a zone"),
        ("noon", "no time with a zone"),
    ],
)
def test_a_time_that_no_backup_reaches_is_refused(text: str, reason: str) -> None:
    with pytest.raises(WrongUse, match=reason):
        choosing.to_time(BOTH, text, None)


def test_without_a_backup_the_command_that_makes_one_is_named() -> None:
    with pytest.raises(WrongUse, match="mindgraph backup"):
        choosing.to_latest([])


def test_postgresql_gets_the_time_in_utc() -> None:
    target = choosing.to_time(BOTH, "2026-01-02T08:00:00.5+08:00", None)
    assert "--target=2026-01-02 00:00:00.500000+00" in target.options
    assert target.at == datetime(2026, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest.read(FIRST.text()) == FIRST


@pytest.mark.parametrize("text", ["", "{}", "[]", FIRST.text()[:-40]])
def test_what_is_no_manifest_is_told(text: str) -> None:
    with pytest.raises(WrongManifest):
        manifest.read(text)


def test_every_table_that_differs_is_named() -> None:
    found = {"users": Table(1, "3"), "extra": Table(0, "0")}
    expected = {"users": Table(1, "2"), "gone": Table(0, "0")}
    said = manifest.differences(expected, found)
    assert [line.split()[1] for line in said] == ["extra", "gone", "users"]
    assert manifest.differences(expected, expected) == []
