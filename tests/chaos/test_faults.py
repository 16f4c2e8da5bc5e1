"""What a server meets one day: a full disk, an archive that is away, a Redis without memory, a
clock that jumps. Each is told by an alert, the runbook's commands mend it, and nothing that was
acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack import backups
from tests.stack.stacks import Stack

from . import faults
from .faults import Site

HOUR = 3_600


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("server")
    folder.chmod(0o755)
    with faults.site(folder) as site:
        assert site.mindgraph("backup").returncode == 0
        yield site


@pytest.fixture
def stack(site: Site) -> Stack:
    return site.stack


def test_a_disk_that_is_nearly_full_leaves_the_database_readable(site: Site, stack: Stack) -> None:
    with site.at_work() as savers:
        site.wait_for_saves(savers)
        faults.fill_disk(stack, left_mb=faults.RESERVE // 2)
        stack.wait(
            lambda: all(saver.refused["POST DatabaseReadOnly"] > 2 for saver in savers),
            "changes are refused with the reason",
        )
        read = [saver.read for saver in savers]
        assert "only read" in site.wait_for_alert("DatabaseReadOnly")
        site.wait_for_alert("DiskFilling")
        # Then also the rest is taken.
        faults.fill_disk(stack, left_mb=0)
        assert set(site.doctor("disks")) == {"database-writes", "disk-postgres"}
        assert "the database takes no changes" in site.runbook.follow("DatabaseReadOnly", 1)
        assert all(s.read > then for s, then in zip(savers, read, strict=True))
        assert {name for s in savers for name in s.refused} == {"POST DatabaseReadOnly"}
        faults.free_disk(stack)
        site.wait_for_saves(savers)
    assert stack.container("postgres").attrs["RestartCount"] == 0
    site.wait_for_peace("DatabaseReadOnly", "DiskFilling", "DiskFull")
    assert "the database takes changes" in site.runbook.follow("DatabaseReadOnly")


def test_a_disk_that_is_full_at_once_costs_nothing_that_was_saved(site: Site, stack: Stack) -> None:
    with site.at_work() as savers:
        site.wait_for_saves(savers)
        faults.fill_disk(stack, left_mb=0)
        stack.wait(
            lambda: all(sum(saver.refused.values()) > 2 for saver in savers), "changes are refused"
        )
        faults.free_disk(stack)
        site.wait_for_saves(savers)
    stack.wait_until_well()
    site.wait_for_peace("DatabaseReadOnly", "DiskFilling", "DiskFull")


def test_an_archive_that_is_away_is_told_before_it_is_given_up_and_a_backup_mends_it(
    site: Site, stack: Stack
) -> None:
    faults.break_archive(stack)
    write_log(stack)
    with site.at_work() as savers:
        # A reload lets it try again at once, as it else does every minute.
        stack.wait(
            lambda: (
                stack.sql_inside("SELECT pg_reload_conf()")
                and "DatabaseArchiveFailing" in site.firing()
            ),
            "the alert fires",
        )
        assert site.doctor("archive") == {}
        assert "the archive fails" in site.mindgraph("backups").stderr
        stack.wait(lambda: given_up(stack), "more waits than may wait, and is given up", 200)
        site.wait_for_saves(savers)
    summary = site.wait_for_alert("DatabaseArchiveGivenUp")
    assert "no restore reaches a time after that before the next backup" in summary
    assert "the archive was given up" in site.doctor("archive")["archive-gaps"]["seen"]
    refused = site.mindgraph("backup")
    assert refused.returncode == 1
    assert "archive" in refused.stderr
    faults.mend_archive(stack)
    site.runbook.follow("DatabaseArchiveGivenUp")
    assert site.doctor("archive") == {}
    site.wait_for_peace("DatabaseArchiveFailing", "DatabaseArchiveGivenUp", "BackupFailed")
    assert site.mindgraph("backups", "verify").returncode == 0
    before = backups.sums(stack)
    with_new = site.mindgraph("rehearse-restore")
    assert with_new.returncode == 0, with_new.stderr
    assert backups.sums(stack) == before


def given_up(stack: Stack) -> bool:
    write_log(stack)
    gaps = f"{faults.DATA}/pgdata.archive-gaps"
    return stack.run_in("postgres", "test", "-s", gaps).returncode == 0


def write_log(stack: Stack) -> None:
    """So much that a file of the log is full, and waits for the archive."""
    stack.sql_inside(
        "SELECT pg_logical_emit_message(false, 'load', repeat(md5(random()::text), 500000))"
    )
    stack.sql_inside("SELECT pg_switch_wal()")


def test_a_redis_without_memory_is_told_and_whoever_is_logged_in_works_on(
    site: Site, stack: Stack
) -> None:
    with site.at_work() as savers:
        fill_redis(stack)
        with pytest.raises(AssertionError, match="RedisUnavailable"):
            site.browser()
        site.wait_for_saves(savers)
        assert "it refuses logins" in site.wait_for_alert("RedisFilling")
        assert "redis-memory" in site.doctor("app")
        site.runbook.follow("RedisFilling")
        stack.read_settings()
        site.wait_for_saves(savers)
    site.browser().close()
    site.wait_for_peace("RedisFilling")
    assert "redis-memory" not in site.doctor("app")


def fill_redis(stack: Stack) -> None:
    """With what takes all that it may have."""
    script = """
        export REDISCLI_AUTH=$(cat /run/secrets/REDIS_PASSWORD)
        some="for i = 1, 40 do redis.call('SETEX', KEYS[1] .. i, 9999, string.rep('x', 100000)) end"
        for step in {1..20}; do redis-cli EVAL "$some" 1 "filler:$step:"; done
        redis-cli SET one more
    """
    said = stack.run_in("redis", "bash", "-c", script).stdout
    assert "OOM" in said, said


def test_a_clock_that_jumps_is_told_and_whoever_is_logged_in_works_on(
    site: Site, stack: Stack
) -> None:
    site.clock.fetch()
    stack.set(**site.clock.settings)
    stack.up()
    with site.at_work() as savers:
        site.wait_for_saves(savers)
        site.clock.set(-HOUR)
        site.wait_for_saves(savers)
        site.wait_for_alert("ClockJumped", saying="set by -")
        # And then right again, from where that clock was.
        site.clock.set(HOUR)
        site.wait_for_saves(savers)
        site.wait_for_alert("ClockJumped", saying="set by 1h")
        site.wait_for_saves(savers)
    assert [saver.logged_out for saver in savers] == [0, 0]
    assert [saver.refused for saver in savers] == [{}, {}]
    site.runbook.follow("ClockJumped")
    stack.wait_until_well()
    site.wait_for_peace("ClockJumped")
    assert site.mindgraph("backups", "verify").returncode == 0
