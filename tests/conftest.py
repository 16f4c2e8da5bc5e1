import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import hypothesis
import pytest
from _pytest.terminal import TerminalReporter

from app import logs
from app.cache import client as caches
from app.db import engine
from app.db.session import Database
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import databases, documents, report
from tests.databases import Backend
from tests.openai_server import OpenAIServer
from tests.servers import HOST, Run, Servers, this_process

RUN = pytest.StashKey[Run]()


# No test asserts a time: the machine may be busy with others.
hypothesis.settings.register_profile(
    "mindgraph", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("mindgraph")


def pytest_configure(config: pytest.Config) -> None:
    # A script that runs the tests with `&` or nohup ignores them, and so would all that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[RUN] = Run(Path(given["mindgraph_run"]), given["mindgraph_owner"])
        return
    folder = Path(tempfile.mkdtemp(prefix="mindgraph-test-"))
    config.stash[RUN] = Run(folder, this_process())
    # A cancelled job of CI shall clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_sessionstart() -> None:
    logs.configure(Settings(log_format="json"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    run = node.config.stash[RUN]
    node.workerinput["mindgraph_run"] = str(run.folder)
    node.workerinput["mindgraph_owner"] = run.owner


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or RUN not in config.stash:
        return
    run = config.stash[RUN]
    try:
        run.remove()
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    # Workers have one as well, which nobody sees.
    if hasattr(terminalreporter.config, "workerinput"):
        return
    if terminalreporter.config.option.collectonly:
        return
    terminalreporter.section("MindGraph")
    counts = report.with_earlier(report.count(terminalreporter.stats))
    for line in (*report.table(counts), *report.surroundings()):
        terminalreporter.write_line(line)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    run = request.config.stash[RUN]
    return run.servers(lambda started: databases.prepare_templates(started, run.folder))


@pytest.fixture
def base(servers: Servers, tmp_path: Path) -> Settings:
    """Settings without a database of their own; this worker's part of Redis, emptied."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    settings = Settings.model_validate(
        {
            "captcha_enabled": False,
            "data_dir": tmp_path / "data",
            "environment": "test",
            "rate_limits": False,
            # Number 0 is for tests that leave it alone.
            "redis_db": 1 + int(worker.removeprefix("gw")) % 15,
            "redis_host": HOST,
            "redis_password": servers.redis_password,
            "redis_port": servers.redis_port,
            "web_threads": 6,
        }
    )
    with caches.build(settings) as client:
        client.flushdb()
    return settings


@pytest.fixture(params=["postgresql", "sqlite"])
def backend(request: pytest.FixtureRequest) -> Backend:
    chosen: Backend = request.param
    return chosen


@pytest.fixture
def empty(backend: Backend, base: Settings, servers: Servers) -> Iterator[Settings]:
    """Settings for a database without a schema, on each engine in turn."""
    if backend == "sqlite":
        yield base
        return
    with databases.on_server(servers, databases.BARE) as name:
        yield _on_server(base, servers, name)


@pytest.fixture
def settings(
    backend: Backend, base: Settings, servers: Servers, request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings for a database with a schema, seeds and people, on each engine in turn."""
    if backend == "sqlite":
        databases.in_folder(request.config.stash[RUN].folder, base.data_dir)
        yield base
        return
    with databases.on_server(servers, databases.READY) as name:
        yield _on_server(base, servers, name)


def _on_server(base: Settings, servers: Servers, name: str) -> Settings:
    kept = base.model_dump(exclude_unset=True)
    return databases.settings_of(
        servers,
        name,
        **kept,
        qdrant_url=f"http://{HOST}:{servers.qdrant_port}",
        qdrant_api_key=servers.qdrant_api_key,
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = Database(engine.build(settings, name="test", threads=4))
    yield made
    made.close()


@pytest.fixture
def embedding_server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def hashed(settings: Settings, embedding_server: OpenAIServer) -> Settings:
    """Settings with that server as the embedder: its vectors cost nothing."""
    embedder = {
        "embedder": "openai",
        "embedder_model": "hashed",
        "embedder_timeout_s": 5,
        "embedder_url": embedding_server.url,
    }
    return Settings.model_validate(settings.model_dump(exclude_unset=True) | embedder)


@pytest.fixture
def hashed_tools(hashed: Settings) -> Iterator[Tools]:
    with documents.tools(hashed) as made:
        yield made


@pytest.fixture
def cache(base: Settings) -> Iterator[caches.Client]:
    with caches.build(base) as client:
        yield client


@pytest.fixture(scope="module")
def other_qdrant(servers: Servers, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings for a Qdrant that only this file's tests in this worker use."""
    assert servers
    with request.config.stash[RUN].qdrant() as (port, key):
        yield {"qdrant_url": f"http://{HOST}:{port}", "qdrant_api_key": key}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What the service writes into its log from now on, a line of JSON for each record."""
    text = StringIO()
    # Not sys.stdout itself, which pytest sets anew between a fixture and its test.
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stdout=text))
    return text


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of the loopback on which nobody listens and which nobody else is given."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield held.getsockname()[1]
