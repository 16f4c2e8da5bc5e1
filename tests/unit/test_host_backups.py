"""What `mindgraph doctor` says of the age of the newest backup."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from host.checks import backups
from host.checks.finding import Finding

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def looked(*times: str, production: bool = True) -> Finding:
    said = json.dumps([{"id": time, "point": {"time": time}} for time in times])
    return backups.examine(said, NOW, production=production)


@pytest.mark.parametrize(
    ("hours", "status"), [(1, "ok"), (24, "ok"), (26, "warning"), (72, "warning"), (80, "failure")]
)
def test_an_old_backup_is_told(hours: int, status: str) -> None:
    time = (NOW - timedelta(hours=hours)).isoformat()
    assert looked(time).status == status


@pytest.mark.parametrize(
    "time",
    ["2026-11-28T11:00:00Z", "2026-11-28 19:00:00.123456+08", "2026-11-28T06:30:00-04:30"],
)
def test_the_newest_one_counts_in_any_form_of_its_time(time: str) -> None:
    assert looked("2026-01-01T00:00:00Z", time, "2025-01-01T00:00:00Z").seen == (
        "3, the newest 1 hours old"
    )


@pytest.mark.parametrize("said", [None, "", "[]", "{}", "no", '[{"point": {}}, 7]'])
def test_without_one_production_fails_and_development_does_not(said: str | None) -> None:
    found = backups.examine(said, NOW, production=True)
    assert found.status == "failure"
    assert "deploy/mindgraph backup" in found.fix
    assert backups.examine(said, NOW, production=False).status == "ok"


def test_an_old_one_is_no_problem_in_development() -> None:
    assert looked("2020-01-01T00:00:00Z", production=False).status == "ok"
