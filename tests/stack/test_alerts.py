"""Each alert of docker/metrics/alerts.yaml, by promtool: it comes when it must, and only then.
Each has its section in the runbook."""

from __future__ import annotations

import re
import subprocess
from typing import Any, NamedTuple

import pytest
import yaml

from .stacks import CHECKOUT, image_namespace

RULES = yaml.safe_load((CHECKOUT / "docker/metrics/alerts.yaml").read_text(encoding="utf-8"))
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
RUNBOOK = (CHECKOUT / "docs/runbook.md").read_text(encoding="utf-8")

DISK = "mindgraph_{}_disk_{}_bytes"
APP = 'up{job="app", instance="app:8000"}'
VECTORS = 'mindgraph_observation_success{source="qdrant"}'
UNSEEN = 'mindgraph_observation_success{source="redis"}'


class Case(NamedTuple):
    """Series in the notation of promtool, a minute between two values: `0+5x9` is 0, 5, ... 45."""

    ill: dict[str, str]
    well: dict[str, str]
    minutes: int = 30


def for_ever(**values: float) -> dict[str, str]:
    return {name: f"{value}x400" for name, value in values.items()}


def growing(series: str, ill: float, well: float = 0) -> Case:
    return Case({series: f"0+{ill}x400"}, {series: f"0+{well}x400"})


def steady(series: str, ill: float, well: float, minutes: int = 30) -> Case:
    return Case({series: f"{ill}x400"}, {series: f"{well}x400"}, minutes)


def answers(per_minute: float, errors: float) -> dict[str, str]:
    return {
        'http_requests_total{route="/x", status="200"}': f"0+{per_minute}x400",
        'http_requests_total{route="/x", status="503"}': f"0+{errors}x400",
    }


def seconds(slow: float, route: str = "/x") -> dict[str, str]:
    """So many of 100 requests a minute take five seconds, the others a tenth of one."""
    name = f'http_request_duration_seconds_bucket{{route="{route}", le="%s"}}'
    return {
        name % "0.1": f"0+{100 - slow}x400",
        name % "5": "0+100x400",
        name % "+Inf": "0+100x400",
    }


def disk(free: int, of: str = "data") -> dict[str, str]:
    return {DISK.format(of, "free"): f"{free}x400", DISK.format(of, "size"): "100x400"}


def build(*revisions: str) -> dict[str, str]:
    name = 'mindgraph_build_info{{version="1", revision="{0}", instance="{0}"}}'
    return {name.format(one): "1x400" for one in revisions}


def waiting(part: int) -> dict[str, str]:
    """So many of ten parts that may wait for the archive."""
    return for_ever(
        mindgraph_database_archive_waiting_bytes=part, mindgraph_database_archive_limit_bytes=10
    )


CASES: dict[str, Case] = {
    "AppDown": Case({APP: "0x400"}, {APP: "1x400"}),
    "WorkerDown": steady("mindgraph_workers", 0, 1),
    "ErrorsInAnswers": Case(answers(90, 10), answers(98, 2)),
    "SlowAnswers": Case(seconds(20), seconds(1) | seconds(90, "/api/knowledge/events")),
    "ObservationFailing": Case(
        {UNSEEN: "0x400", "mindgraph_maintenance": "0x400"},
        {UNSEEN: "0x400", "mindgraph_maintenance": "1x400"},
    ),
    "MaintenanceForgotten": steady("mindgraph_maintenance", 1, 0, minutes=150),
    "RateLimitRefusals": growing('mindgraph_rate_limit_refusals_total{rule="login"}', 600, 60),
    "UsageRefused": growing("mindgraph_usage_records_refused_total", 1),
    "DatabaseDown": Case(
        {"pg_up": "0x400", 'up{job="postgres"}': "1x400"},
        # The exporter is down, of which another alert tells.
        {'up{job="postgres"}': "0x400"},
    ),
    "DatabaseConnectionsShort": Case(
        for_ever(mindgraph_database_connections=95, mindgraph_database_connections_max=100),
        for_ever(mindgraph_database_connections=60, mindgraph_database_connections_max=100),
    ),
    "DatabasePoolEmpty": growing('mindgraph_database_pool_timeouts_total{pool="web"}', 1),
    "DatabasePoolerWaiting": steady("mindgraph_pooler_longest_wait_seconds", 2, 0.2),
    "DatabaseArchiveFailing": Case(
        {"pg_stat_archiver_failed_count": "0+1x400", "pg_stat_archiver_archived_count": "7x400"},
        {"pg_stat_archiver_failed_count": "0+1x400", "pg_stat_archiver_archived_count": "0+1x400"}
        | waiting(5),
    ),
    "DatabaseArchiveGivenUp": steady("mindgraph_database_archive_gaps", 3, 0),
    "DatabaseDeadlocks": growing('pg_stat_database_deadlocks{datname="mindgraph"}', 1, 0.1),
    "DiskFilling": Case(disk(10), disk(40)),
    "DiskFull": Case(disk(10) | disk(3, of="database"), disk(10) | disk(10, of="database")),
    "DatabaseReadOnly": steady("mindgraph_database_read_only", 1, 0),
    "RedisDown": Case(
        {"redis_up": "0x400", 'up{job="redis"}': "1x400"},
        {"redis_up": "1x400", 'up{job="redis"}': "1x400"},
    ),
    "RedisFilling": Case(
        for_ever(redis_memory_used_bytes=95, redis_memory_max_bytes=100),
        # No limit is set.
        for_ever(redis_memory_used_bytes=95, redis_memory_max_bytes=0),
    ),
    "RedisNotSaving": steady("redis_aof_last_write_status", 0, 1),
    "RedisErrors": growing('mindgraph_redis_errors_total{purpose="cache"}', 60, 1),
    "QdrantDown": Case(
        {VECTORS: "0x400", "mindgraph_maintenance": "0x400"},
        {VECTORS: "0x400", "mindgraph_maintenance": "1x400"},
    ),
    "QueueGrowing": steady('mindgraph_queue_messages{state="waiting"}', 500, 5),
    "JobsFailing": growing(
        'mindgraph_jobs_total{task="clean_knowledge", result="failed"}', 1, 0.02
    ),
    "JobsGivenUp": steady('mindgraph_queue_messages{state="dead"}', 2, 0),
    "DocumentsWaiting": steady("mindgraph_ingestion_oldest_waiting_seconds", 1_800, 30),
    "DocumentsFailing": growing('mindgraph_ingestion_results_total{result="failed"}', 1, 0.05),
    "BackupMissing": Case(
        {APP: "1x400"},
        {APP: "1x400", "mindgraph_backup_last_timestamp_seconds": "0x400"},
        minutes=90,
    ),
    "BackupOld": Case(
        {"mindgraph_backup_last_timestamp_seconds": "-140000x400"},
        {"mindgraph_backup_last_timestamp_seconds": "-80000x400"},
    ),
    "BackupFailed": steady("mindgraph_backup_last_success", 0, 1),
    "RehearsalFailed": steady("mindgraph_rehearsal_success", 0, 1),
    "RehearsalOld": Case(
        {"mindgraph_rehearsal_time_seconds": "-900000x400"},
        {"mindgraph_rehearsal_time_seconds": "-700000x400"},
    ),
    "ExporterDown": steady('up{job="worker", instance="worker:9101"}', 0, 1),
    "ReleasesMixed": Case(build("a", "b"), build("a"), minutes=60),
    "ClockJumped": steady("mindgraph_clock_jumped_seconds", -7_200, 0.4),
}


def checked(alert: str, series: dict[str, str], minutes: int, count: int) -> dict[str, Any]:
    """A test of promtool: so many alerts of the name fire after the time."""
    query = f'count by (alertname) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": count}] if count else []
    expected = {"expr": query, "eval_time": f"{minutes}m", "exp_samples": samples}
    return {
        "interval": "1m",
        "name": f"{alert} {'fires' if count else 'does not fire'}",
        "input_series": [{"series": name, "values": of} for name, of in series.items()],
        "promql_expr_test": [expected],
    }


def promtool(tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """Runs tests against the rules in the image."""
    suite = {"rule_files": ["/etc/mindgraph/alerts.yaml"], "evaluation_interval": "1m"}
    script = "cat >/tmp/tests.yaml && promtool test rules /tmp/tests.yaml"
    return subprocess.run(
        [
            *("docker", "run", "--rm", "--interactive", "--network", "none", "--read-only"),
            *("--tmpfs", "/tmp", "--entrypoint", "sh", f"{image_namespace()}-prometheus"),
            *("-c", script),
        ],
        input=yaml.safe_dump(suite | {"tests": tests}),
        capture_output=True,
        check=False,
        encoding="utf-8",
    )


def test_every_alert_comes_when_it_must_and_only_then() -> None:
    tests = [
        test
        for alert, case in CASES.items()
        for test in (
            checked(alert, case.ill, case.minutes, 1),
            checked(alert, case.well, case.minutes, 0),
        )
    ]
    done = promtool(tests)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("count", [0, 2])
def test_a_wrong_expectation_is_found(count: int) -> None:
    """Or the test above would say nothing."""
    case = CASES["QueueGrowing"]
    assert promtool([checked("QueueGrowing", case.ill, case.minutes, count)]).returncode != 0


def test_every_alert_has_a_case() -> None:
    assert CASES.keys() == ALERTS.keys()


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    for name, rule in ALERTS.items():
        assert rule["labels"] == {"severity": rule["labels"]["severity"]}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert rule["for"]


def test_the_runbook_has_a_section_for_every_alert_and_for_nothing_else() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)
    assert sections == list(ALERTS)


def test_every_section_of_the_runbook_says_what_to_do() -> None:
    for section in re.split(r"^### \w+$", RUNBOOK, flags=re.MULTILINE)[1:]:
        text = section.split("\n## ")[0].strip()
        assert 80 < len(text) < 1_500
        assert "`" in text
