from datetime import timedelta

import pytest

from app.clock import now
from app.db.session import Database
from app.settings import Settings
from tests import usage
from tests.commands import environment_of, run


@pytest.fixture
def records(database: Database) -> None:
    with database.begin() as session:
        session.add_all([usage.row(now() - timedelta(days=age)) for age in (100, 50, 10)])


@pytest.mark.usefixtures("records")
def test_old_usage_is_counted_and_then_deleted(settings: Settings, database: Database) -> None:
    environ = environment_of(settings)
    dry = run("usage", "retain", "--days", "30", "--dry-run", environ=environ)
    assert dry.stdout == "2 records are older than 30 days; nothing was deleted\n"
    assert len(usage.stored(database)) == 3
    done = run("usage", "retain", "--days", "30", environ=environ)
    assert (done.returncode, done.stdout) == (0, "deleted 2 records older than 30 days\n")
    assert len(usage.stored(database)) == 1


@pytest.mark.usefixtures("records")
def test_the_days_are_the_settings_unless_they_are_given(
    settings: Settings, database: Database
) -> None:
    environ = environment_of(settings)
    refused = run("usage", "retain", environ=environ)
    assert refused.returncode == 1
    assert "with --days or USAGE_RETENTION_DAYS" in refused.stderr
    done = run("usage", "retain", environ=environ | {"USAGE_RETENTION_DAYS": "70"})
    assert done.stdout == "deleted 1 records older than 70 days\n"
    assert len(usage.stored(database)) == 2


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("days", ["0", "-1", "36501", "many"])
def test_days_that_make_no_sense_are_refused(settings: Settings, days: str) -> None:
    refused = run("usage", "retain", f"--days={days}", environ=environment_of(settings))
    assert refused.returncode == 2
    assert "usage: mindgraph usage retain" in refused.stderr
    assert "Traceback" not in refused.stderr
