"""`mindgraph serve`, `worker` and `doctor` with PostgreSQL, Redis and Qdrant as servers."""

import json
import signal
import sys
import threading
from pathlib import Path

import httpx
import pytest
from sqlalchemy import inspect, text

from app.db import engine as engines
from app.settings import Settings
from tests import commands
from tests.cli.processes import bare_environment, running
from tests.databases import superuser
from tests.people import ALICE, PASSWORD
from tests.servers import Servers

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

# The real command, which tells at the start of each of its processes what stands in its
# environment: /proc/PID/environ shows what a process was started with and never what it took out.
TELLING = """
import os, sys
from app.cli.main import main

names = ("DATABASE_OWNER_PASSWORD", "DATABASE_PASSWORD")
os.register_at_fork(after_in_child=lambda: print(
    "child", os.getpid(), *[name for name in names if name in os.environ], flush=True
))
sys.exit(main())
"""
ACTIVITY = "SELECT usename FROM pg_stat_activity WHERE datname = current_database()"
WAITING = "application_name = 'mindgraph-web' AND wait_event_type = 'Lock'"


def environment(settings: Settings, **changes: object) -> dict[str, str]:
    return commands.environment_of(settings) | {"APP_PORT": "0"} | bare_environment(**changes)


def roles(servers: Servers, settings: Settings, which: str) -> set[str]:
    """The roles of the sessions in the database, of which only the superuser sees everything."""
    with superuser(servers, settings.database_name) as connection, connection.cursor() as cursor:
        cursor.execute(f"{ACTIVITY} AND {which}")
        return {row[0] for row in cursor.fetchall()}


def refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", trust_env=False, timeout=5)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        pass
    return False


def test_during_maintenance_the_service_starts_and_leaves_the_database_alone(
    empty: Settings, tmp_path: Path
) -> None:
    environ = environment(empty, MAINTENANCE="true")
    with running("serve", environ=environ, log=tmp_path / "said") as service:
        url = service.url()
        refused = httpx.get(f"{url}/api/diagrams", trust_env=False)
        assert (refused.status_code, refused.json()["error"]) == (503, "Maintenance")
        assert service.stop(signal.SIGTERM) == 0, service.said()
    direct = engines.build_direct(empty, name="test")
    assert inspect(direct).get_table_names() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_prepares_an_empty_database_serves_and_stops(
    empty: Settings, number: signal.Signals, tmp_path: Path
) -> None:
    with running("serve", environ=environment(empty), log=tmp_path / "said") as service:
        ready = httpx.get(f"{service.url()}/readyz", trust_env=False).json()
        assert ready["down"] == []
        assert len(service.family()) == 1 + empty.web_workers
        assert service.stop(number) == 0, service.said()
        assert service.left() == []
        assert "Traceback" not in service.said()


def test_a_request_under_way_is_answered_before_the_service_ends(
    settings: Settings, servers: Servers, tmp_path: Path
) -> None:
    environ = environment(settings, DATABASE_LOCK_TIMEOUT_MS=0, WEB_WORKERS=1)
    answers: list[httpx.Response] = []
    engine = engines.build_direct(settings, name="test")
    with running("serve", environ=environ, log=tmp_path / "said") as service:
        url = service.url()

        def log_in() -> None:
            payload = {"login": ALICE.login, "password": PASSWORD}
            answers.append(
                httpx.post(f"{url}/api/auth/login", json=payload, trust_env=False, timeout=60)
            )

        with engine.connect() as holding:
            holding.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
            request = threading.Thread(target=log_in)
            request.start()
            commands.wait_until(lambda: roles(servers, settings, WAITING), "it waits for the lock")
            service.family()
            service.process.send_signal(signal.SIGTERM)
            commands.wait_until(lambda: refuses(url), "the service takes no new connection")
            assert service.process.poll() is None
            holding.rollback()
        request.join()
        assert service.process.wait(30) == 0, service.said()
        assert service.left() == []
    assert [answer.status_code for answer in answers] == [200]


def test_what_serves_requests_has_no_password_of_the_owner(
    settings: Settings, servers: Servers, tmp_path: Path
) -> None:
    environ = environment(settings)
    assert environ["DATABASE_OWNER_PASSWORD"]
    program = (sys.executable, "-c", TELLING)
    with running("serve", environ=environ, log=tmp_path / "said", program=program) as service:
        service.url()
        told = [line.split(" ") for line in service.said().splitlines() if line[:6] == "child "]
        assert len(told) >= settings.web_workers
        assert {tuple(names) for _, _, *names in told} == {("DATABASE_PASSWORD",)}
        others = "application_name LIKE 'mindgraph-%'"
        assert roles(servers, settings, others) == {settings.database_user}


def test_several_processes_do_not_share_a_folder_of_qdrant(settings: Settings) -> None:
    environ = environment(settings)
    del environ["QDRANT_URL"], environ["QDRANT_API_KEY"]
    done = commands.run("serve", environ=environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "set QDRANT_URL, or WEB_WORKERS=1" in done.stderr


def test_doctor_goes_on_without_a_database(
    settings: Settings, closed_port: int, servers: Servers
) -> None:
    environ = environment(settings, DATABASE_PORT=closed_port, REDIS_PASSWORD="wrong")
    done = commands.run("doctor", environ=environ)
    assert done.returncode == 1
    wrong = [line.split()[1] for line in done.stdout.splitlines() if line[:7] == "failure"]
    # Once each, and not for all that the same one would have told.
    assert wrong == ["database", "redis", "search", "worker"]
    assert done.stdout.count("fix: ") == len(wrong)
    assert servers.app_password not in done.stdout + done.stderr


def test_doctor_tells_programs_what_it_found(settings: Settings, servers: Servers) -> None:
    done = commands.run("doctor", "--json", environ=environment(settings, MAINTENANCE="true"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert all(set(one) == {"check", "status", "seen", "fix"} for one in told["checks"])
    assert sum(told["summary"].values()) == len(told["checks"])
    # The tests' own Redis says why its problems are no failures.
    assert {one["status"] for one in told["checks"]} <= {"ok", "warning"}
    assert servers.app_password not in done.stdout


def test_doctor_writes_a_report_for_others(settings: Settings, servers: Servers) -> None:
    done = commands.run("doctor", "--report", environ=environment(settings, MAINTENANCE="true"))
    assert done.returncode == 0, done.stderr
    assert "  MAINTENANCE=True" in done.stdout
    for private in (servers.app_password, settings.database_name, str(settings.data_dir)):
        assert private not in done.stdout


def test_a_worker_that_waits_for_the_schema_can_be_stopped(empty: Settings, tmp_path: Path) -> None:
    with running("worker", environ=environment(empty), log=tmp_path / "said") as worker:
        worker.wait_for("waiting until the service has prepared the database")
        assert worker.stop(signal.SIGTERM) == 0, worker.said()
        assert "worker is ready" not in worker.said()
