"""Prometheus and its exporters beside production: what they see, and who sees them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any
from urllib.parse import urlencode

import pytest

from . import backups
from .stacks import CHECKOUT, Stack, bare_environment

RUNBOOK = (CHECKOUT / "docs/runbook.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stack(unharmed_production: Stack) -> Stack:
    return unharmed_production


def ask(stack: Stack, path: str, **parameters: str) -> Any:
    """Prometheus's own API, from inside of its container: nobody else reaches it."""
    address = f"http://127.0.0.1:9090/api/v1/{path}?{urlencode(parameters)}"
    for _ in range(5):
        done = stack.run_in("prometheus", "wget", "-q", "-O", "-", address)
        assert done.returncode == 0, done.stderr
        # A busy engine sometimes loses what a command said.
        if done.stdout:
            break
    return json.loads(done.stdout)["data"]


def value(stack: Stack, query: str) -> float | None:
    """The one value that a query gives; None while it gives none."""
    found = ask(stack, "query", query=query)["result"]
    assert len(found) <= 1, found
    return float(found[0]["value"][1]) if found else None


def test_everything_that_is_to_be_asked_answers(stack: Stack) -> None:
    jobs = {"app", "postgres", "prometheus", "qdrant", "redis", "worker"}

    def answering() -> bool:
        targets = ask(stack, "targets")["activeTargets"]
        found = {one["labels"]["job"]: one["health"] for one in targets}
        return found == dict.fromkeys(jobs, "up")

    stack.wait(answering, "Prometheus has asked everybody")


@pytest.mark.parametrize(
    "query",
    [
        "max(pg_up) == 1",
        "max(redis_up) == 1",
        'max(mindgraph_observation_success{source="database"}) == 1',
        'max(mindgraph_observation_success{source="pooler"}) == 1',
        'max(mindgraph_observation_success{source="qdrant"}) == 1',
        'max(mindgraph_observation_success{source="redis"}) == 1',
        "max(mindgraph_workers) == 1",
        "max(mindgraph_build_info) == 1",
        'sum(http_requests_total{route="/readyz"}) > 0',
        # What the alerts look at.
        "max(redis_memory_max_bytes) > 0",
        "max(redis_memory_used_bytes) > 0",
        "max(redis_aof_last_write_status) == 1",
        "max(pg_stat_archiver_failed_count) >= 0",
        "max(pg_stat_archiver_archived_count) >= 0",
        "sum(pg_stat_database_deadlocks) >= 0",
        "max(mindgraph_pooler_clients_waiting) >= 0",
        "max(mindgraph_pooler_longest_wait_seconds) >= 0",
        "max(mindgraph_pooler_connections) >= 0",
        "max(mindgraph_pooler_connections_max) == 25",
        'max(app_info{job="qdrant", name="qdrant"}) == 1',
        "max(collections_total) >= 0",
        "max(mindgraph_data_disk_size_bytes) > 0",
        "max(mindgraph_database_disk_size_bytes) > 0",
        "max(mindgraph_database_archive_gaps) == 0",
        "max(mindgraph_database_archive_waiting_bytes) >= 0",
        "max(mindgraph_database_archive_limit_bytes) > 0",
        "max(mindgraph_database_read_only) == 0",
        "max(abs(mindgraph_clock_jumped_seconds)) < 60",
        'sum(mindgraph_jobs_total{result="done"}) > 0',
    ],
)
def test_what_the_alerts_look_at_is_measured(stack: Stack, query: str) -> None:
    stack.wait(lambda: value(stack, query) is not None, f"it is true that {query}")


def test_all_rules_are_loaded_and_healthy(stack: Stack) -> None:
    def healthy() -> bool:
        rules = [rule for group in ask(stack, "rules")["groups"] for rule in group["rules"]]
        return len(rules) > 20 and {rule["health"] for rule in rules} == {"ok"}

    stack.wait(healthy, "every rule was evaluated")


def test_the_command_of_the_runbook_tells_what_fires(stack: Stack) -> None:
    command, *_ = re.findall(r"```sh\n(.+)\n```", RUNBOOK)

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*shlex.split(command), *options],
            cwd=CHECKOUT,
            env=bare_environment() | {"MINDGRAPH_ENV_FILE": str(stack.env_file)},
            capture_output=True,
            check=False,
            encoding="utf-8",
        )

    # Others may fire: the machine's disk may be nearly full.
    assert "ExporterDown" not in run().stdout
    assert isinstance(json.loads(run("--json").stdout), list)
    stack.compose("stop", "redis-exporter")
    try:
        stack.wait(lambda: value(stack, 'up{job="redis"} == 0') == 0, "it is seen as down")
        firing = 'ALERTS{alertname="ExporterDown", alertstate="firing"}'
        stack.wait(lambda: value(stack, firing), "the alert fires", patience_s=300)
        ill = run()
        [told] = [one for one in json.loads(run("--json").stdout) if one["alert"] == "ExporterDown"]
    finally:
        stack.up()
    assert ill.returncode == 1
    assert "ExporterDown: redis at redis-exporter:9121 can't be asked" in ill.stdout
    assert told["severity"] == "warning"
    assert told["runbook"] == "docs/runbook.md#exporterdown"


def test_nothing_of_it_is_published_or_has_a_way_out(stack: Stack) -> None:
    for service in ("prometheus", "postgres-exporter", "redis-exporter"):
        attributes = stack.container(service).attrs
        assert not any(attributes["NetworkSettings"]["Ports"].values())
        assert set(attributes["NetworkSettings"]["Networks"]) == {f"{stack.project}_data"}


def test_it_is_not_there_without_its_profile(stack: Stack) -> None:
    stack.set(COMPOSE_PROFILES="")
    try:
        services = stack.compose("config", "--services").stdout.split()
    finally:
        stack.set(COMPOSE_PROFILES="metrics")
    assert not {"prometheus", "postgres-exporter", "redis-exporter"} & set(services)
    assert {"app", "proxy"} <= set(services)


def test_the_app_tells_of_the_last_backup(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    age = "time() - max(mindgraph_backup_last_timestamp_seconds)"
    stack.wait(lambda: value(stack, age) is not None, "the backup is known")
    assert 0 <= (value(stack, age) or 0) < 3_600
    assert value(stack, "max(mindgraph_backup_last_success)") == 1


def test_a_backup_that_failed_is_told_and_the_one_before_is_still_the_last(stack: Stack) -> None:
    when = "max(mindgraph_backup_last_timestamp_seconds)"
    stack.wait(lambda: value(stack, when) is not None, "the backup before is known")
    before = value(stack, when)
    stack.compose("stop", "redis")
    try:
        assert backups.mindgraph(stack, "backup").returncode == 1
    finally:
        # Not `up`: it fails at once where the app is unhealthy already.
        stack.compose("start", "redis")
        stack.wait_until_well()
    stack.wait(lambda: value(stack, "max(mindgraph_backup_last_success)") == 0, "it is told")
    assert value(stack, when) == before


def test_who_reads_statistics_reads_no_passwords(stack: Stack) -> None:
    """The exporter's role."""
    refused = stack.psql("mindgraph_readonly", "SELECT rolpassword FROM pg_authid")
    assert refused.returncode != 0
    assert "permission denied" in refused.stderr
    assert int(stack.sql("mindgraph_readonly", "SELECT count(*) FROM pg_stat_statements")) > 0
