"""Metrics of real processes: those of the service are added up, the worker has its own."""

import os
import signal
import socket
import tempfile
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from tests import commands
from tests.cli.processes import Running, bare_environment, running
from tests.servers import HOST

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

TOKEN = "a-token-of-thirty-two-characters"
# In a folder of the test's own, so that what is left behind is seen.
WORKERS = 3


def environment(settings: Settings, folder: Path, **changes: object) -> dict[str, str]:
    own = {"APP_PORT": "0", "METRICS_TOKEN": TOKEN, "TMPDIR": str(folder), "WEB_WORKERS": WORKERS}
    return commands.environment_of(settings) | bare_environment(**(own | changes))


def read(url: str) -> dict[str, dict[str, float]]:
    """Values by their name and then by their labels' values, in the order of the labels' names."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{url}/metrics", headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[",".join(sample.labels.values())] = sample.value
    return found


def workers(service: Running) -> list[psutil.Process]:
    return psutil.Process(service.process.pid).children()


def folders(folder: Path) -> list[Path]:
    return list(folder.glob("mindgraph-metrics-*"))


def test_whoever_is_asked_tells_what_all_have_counted(settings: Settings, tmp_path: Path) -> None:
    environ = environment(settings, tmp_path)
    with running("serve", environ=environ, log=tmp_path / "said") as service:
        url = service.url()
        asked = 40
        for _ in range(asked):
            # A connection of its own each, so that several processes get some.
            assert httpx.get(f"{url}/api/auth/me", trust_env=False).status_code == 401
        labels = "GET,/api/auth/me,401"
        commands.wait_until(
            lambda: read(url)["http_requests_total"][labels] == asked, "all are counted"
        )
        assert {read(url)["http_requests_total"][labels] for _ in range(10)} == {asked}
        # Only the one that asks is under way, and every process has its pool.
        found = read(url)
        assert found["http_requests_in_progress"] == {"": 1}
        connections = WORKERS * (settings.web_threads + 1)
        commands.wait_until(
            lambda: read(url)["mindgraph_database_pool_size"]["web"] == connections,
            "every process has its pool",
        )
        assert len(folders(tmp_path)) == 1
        assert service.stop(signal.SIGTERM) == 0, service.said()
    assert folders(tmp_path) == []
    assert "/metrics" not in service.said()


def test_of_a_process_that_was_killed_only_what_it_counted_stays(
    settings: Settings, tmp_path: Path
) -> None:
    environ = environment(settings, tmp_path)
    with running("serve", environ=environ, log=tmp_path / "said") as service:
        url = service.url()
        for _ in range(20):
            httpx.get(f"{url}/api/auth/me", trust_env=False)
        before = read(url)
        doomed = {one.pid for one in workers(service)}
        assert len(doomed) == WORKERS
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        commands.wait_until(
            lambda: len({one.pid for one in workers(service)} - doomed) == WORKERS,
            "others have taken their place",
        )
        url = service.url()
        name = "mindgraph_database_pool_size"
        commands.wait_until(lambda: read(url)[name] == before[name], "each has its pool")
        after = read(url)
        assert after["http_requests_total"]["GET,/api/auth/me,401"] == 20
        assert after["http_requests_in_progress"] == {"": 1}
        [folder] = folders(tmp_path)
        live = [path.name for path in folder.glob("gauge_live*.db")]
        assert not [name for name in live if name.endswith(tuple(f"_{pid}.db" for pid in doomed))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_worker_tells_its_own_to_who_has_the_token(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    environ = environment(settings, tmp_path, WORKER_METRICS_PORT=port)
    with running("worker", environ=environ, log=tmp_path / "said") as worker:
        worker.wait_for("worker is ready")
        url = f"http://{HOST}:{port}"
        commands.wait_until(
            lambda: "done,clean_knowledge" in read(url).get("mindgraph_jobs_total", {}),
            "a regular job is done",
        )
        found = read(url)
        assert found["mindgraph_job_duration_seconds_count"]["clean_knowledge"] >= 1
        assert "" in found["process_resident_memory_bytes"]
        refused = [
            httpx.get(f"{url}/metrics", trust_env=False),
            httpx.get(f"{url}/metrics", headers={"authorization": "Bearer x"}, trust_env=False),
            httpx.get(f"{url}/", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False),
            httpx.post(f"{url}/metrics", trust_env=False),
        ]
        assert [one.status_code for one in refused] == [401, 401, 404, 501]
        assert worker.stop(signal.SIGTERM) == 0, worker.said()
    assert folders(tmp_path) == []


def test_a_worker_without_a_token_listens_nowhere(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    environ = environment(settings, tmp_path, WORKER_METRICS_PORT=port, METRICS_TOKEN="")
    with running("worker", environ=environ, log=tmp_path / "said") as worker:
        worker.wait_for("worker is ready")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False)


def test_a_port_that_is_taken_ends_the_worker_with_the_fix(
    settings: Settings, tmp_path: Path
) -> None:
    with socket.socket() as held:
        held.bind((HOST, 0))
        held.listen()
        port = held.getsockname()[1]
        environ = environment(settings, tmp_path, WORKER_METRICS_PORT=port)
        done = commands.run("worker", environ=environ)
    assert done.returncode == 1
    assert "set WORKER_METRICS_PORT to a free port" in done.stderr


def test_nothing_is_left_of_a_service_that_can_not_start(
    settings: Settings, tmp_path: Path
) -> None:
    environ = environment(settings, tmp_path)
    del environ["QDRANT_URL"], environ["QDRANT_API_KEY"]
    done = commands.run("serve", environ=environ)
    assert done.returncode == 1
    assert tempfile.gettempdir() != str(tmp_path)
    assert folders(tmp_path) == []
