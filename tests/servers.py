"""One PostgreSQL, Redis and Qdrant for a whole test run, as containers of this checkout's images.

The first test that needs them starts them; the run's controlling process owns them: its pid stands
in their labels, and it removes them at the end.
"""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import docker
import httpx
import psutil
import psycopg2
import redis
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

HOST = "127.0.0.1"
RUN_LABEL = "org.mindgraph.test"
OWNER_LABEL = "org.mindgraph.test.owner"
SOURCE_LABEL = "org.mindgraph.image.source"
PATIENCE_S = 60.0
DATA_IN_MEMORY = {"/var/lib/postgresql/data": "uid=999,gid=999,mode=700"}
# Tables of tests are so small that an index wouldn't be worth it. What then is done without one
# seems so costly that the server would compile the query, for longer than it runs.
FOR_TESTS = "-c max_connections=300 -c fsync=off -c enable_seqscan=off -c jit=off"
# A run has thousands of databases, each with statements; none must go for a new one.
FOR_TESTS += " -c pg_stat_statements.max=100000"
# The whole suite runs with passwords that break every URL that is pasted together.
ODD = "@:/?#[]%&'\"$ <>\\"


class ServersFailed(Exception):
    """The test servers can't be started; the message says why and what to do."""


@dataclass(frozen=True)
class Servers:
    """Where the servers of this run are, on the loopback, and the secrets that open them."""

    postgres_id: str
    postgres_port: int
    superuser_password: str
    owner_password: str
    app_password: str
    readonly_password: str
    backup_password: str
    redis_port: int
    redis_password: str
    qdrant_port: int
    qdrant_api_key: str


class Run:
    """One run of pytest with all its workers, known by its folder."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.folder = folder
        self.owner = owner

    @property
    def labels(self) -> dict[str, str]:
        return {RUN_LABEL: self.folder.name, OWNER_LABEL: self.owner}

    def servers(self, prepare: Callable[[Servers], None]) -> Servers:
        """The servers, started and prepared by whichever worker asks first."""
        with self._locked():
            if (self.folder / "closed").exists():
                raise ServersFailed("the test run is over")
            if (self.folder / "failed").exists():
                raise ServersFailed((self.folder / "failed").read_text())
            found = self.folder / "servers.json"
            if not found.exists():
                started = self._start(prepare)
                found.touch(mode=0o600)
                found.write_text(json.dumps(asdict(started)))
            return Servers(**json.loads(found.read_text()))

    @contextmanager
    def qdrant(self) -> Iterator[tuple[int, str]]:
        """Port and key of a Qdrant for one file of tests: collections have no other walls."""
        with _client() as client:
            secret = {"qdrant": secrets.token_urlsafe(18)}
            container, port = _qdrant(client, secret, _common(self.labels))
            try:
                yield port, secret["qdrant"]
            finally:
                _discard(container)

    @contextmanager
    def postgres(
        self, tmpfs: dict[str, str] | None = None, options: str = FOR_TESTS
    ) -> Iterator["Crashing"]:
        """A PostgreSQL for what kills it, fills its disk or measures it. Its data survives a crash.

        `options` are those of its command line.
        """
        with _client() as client:
            secret = _secrets()
            common = _common(self.labels)
            container, port = _postgres(client, secret, common, tmpfs or {}, options)
            try:
                yield Crashing(container, _servers(secret, str(container.id), port))
            finally:
                _discard(container)

    def remove(self) -> None:
        """Removes the containers with their volumes. Waits for one that is being started."""
        with self._locked():
            (self.folder / "closed").touch()
            if not (self.folder / "used").exists():
                return
            with _client() as client:
                mine = f"{RUN_LABEL}={self.folder.name}"
                found = client.containers.list(
                    all=True, ignore_removed=True, filters={"label": mine}
                )
                with ThreadPoolExecutor() as pool:
                    list(pool.map(_discard, found))

    def _start(self, prepare: Callable[[Servers], None]) -> Servers:
        (self.folder / "used").touch()
        try:
            with _client() as client:
                _remove_leftovers(client)
                started = _start_all(client, self.labels)
            prepare(started)
        except Exception as error:
            (self.folder / "failed").write_text(f"{type(error).__name__}: {error}")
            raise
        return started

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("wb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield


class Crashing:
    """A server of one file's tests in this worker. `servers` has no others."""

    def __init__(self, container: Container, servers: Servers) -> None:
        self.container = container
        self.servers = servers

    def run(self, *command: str) -> str:
        """Runs a command beside the server, and gives what it says."""
        code, said = self.container.exec_run(list(command))
        assert isinstance(said, bytes)
        assert code == 0, said.decode()
        return said.decode()

    def kill(self) -> None:
        """All of it at once, as when the machine loses its power, and starts it again."""
        self.container.kill("KILL")
        self.container.start()
        # Another port than before.
        self.servers = replace(self.servers, postgres_port=_published(self.container, "5432/tcp"))
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        _wait_for_postgres(self.container, self.servers)


def this_process() -> str:
    """Tells this process from all others of the machine, also from later ones with its pid."""
    me = psutil.Process()
    return f"{_place()} {me.pid} {me.create_time():.2f}"


def image(service: str) -> str:
    """The name of this checkout's image of a service."""
    namespace = os.environ.get("MINDGRAPH_TEST_IMAGES")
    if not namespace:
        raise ServersFailed("MINDGRAPH_TEST_IMAGES has no value; run `bash tests/run.sh` instead")
    return f"{namespace}-{service}"


@contextmanager
def _client() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
    except DockerException as error:
        raise ServersFailed(f"no Docker Engine answers; run `make engine` ({error})") from error
    try:
        yield client
    finally:
        client.close()


def _place() -> str:
    # A pid means nothing in another container or on another machine with the same engine.
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _remove_leftovers(client: docker.DockerClient) -> None:
    for container in client.containers.list(
        all=True, ignore_removed=True, filters={"label": OWNER_LABEL}
    ):
        with suppress(NotFound):
            *place, pid, born = container.labels[OWNER_LABEL].split(" ")
            here = " ".join(place) == _place()
            if _is_over(int(pid), float(born)) if here else container.status == "exited":
                _discard(container)
                shutil.rmtree(
                    Path(tempfile.gettempdir(), container.labels[RUN_LABEL]), ignore_errors=True
                )


def _is_over(pid: int, born: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - born) > 1
    except psutil.NoSuchProcess:
        return True


def _discard(container: Container) -> None:
    with suppress(NotFound):
        container.remove(force=True, v=True)


def _common(labels: dict[str, str]) -> dict[str, Any]:
    return {
        "cap_drop": ["ALL"],
        "init": True,
        "labels": labels,
        "read_only": True,
        "security_opt": ["no-new-privileges:true"],
    }


def _secrets() -> dict[str, str]:
    secret = {name: f"{ODD}{secrets.token_urlsafe(18)}" for name in ("super", "owner", "app")}
    secret |= {name: secrets.token_urlsafe(18) for name in ("readonly", "backup", "qdrant")}
    secret["redis"] = f"{ODD}{secrets.token_urlsafe(18)}"
    return secret


def _start_all(client: docker.DockerClient, labels: dict[str, str]) -> Servers:
    secret = _secrets()
    common = _common(labels)
    for service in ("postgres", "redis", "qdrant"):
        try:
            client.images.get(image(service))
        except ImageNotFound as error:
            # The client would look for it in a registry.
            raise ServersFailed(f"there is no image {image(service)}; run `make build`") from error
    with ThreadPoolExecutor() as pool:
        postgres = pool.submit(_postgres, client, secret, common, DATA_IN_MEMORY)
        cache = pool.submit(_redis, client, secret, common)
        qdrant = pool.submit(_qdrant, client, secret, common)
        container, port = postgres.result()
        return replace(
            _servers(secret, str(container.id), port),
            redis_port=cache.result(),
            qdrant_port=qdrant.result()[1],
        )


def _servers(secret: dict[str, str], postgres_id: str, postgres_port: int) -> Servers:
    return Servers(
        postgres_id=postgres_id,
        postgres_port=postgres_port,
        superuser_password=secret["super"],
        owner_password=secret["owner"],
        app_password=secret["app"],
        readonly_password=secret["readonly"],
        backup_password=secret["backup"],
        redis_port=0,
        redis_password=secret["redis"],
        qdrant_port=0,
        qdrant_api_key=secret["qdrant"],
    )


def _postgres(
    client: docker.DockerClient,
    secret: dict[str, str],
    common: dict[str, Any],
    tmpfs: dict[str, str],
    options: str = FOR_TESTS,
) -> tuple[Container, int]:
    container = client.containers.run(
        image("postgres"),
        f"postgres -c shared_preload_libraries=pg_stat_statements {options}",
        environment={
            "DATABASE_BACKUP_PASSWORD": secret["backup"],
            "DATABASE_OWNER_PASSWORD": secret["owner"],
            "DATABASE_PASSWORD": secret["app"],
            "DATABASE_READONLY_PASSWORD": secret["readonly"],
            "POSTGRES_DB": "mindgraph",
            "POSTGRES_INITDB_ARGS": "--data-checksums --auth-host=scram-sha-256"
            " --locale-provider=builtin --builtin-locale=C.UTF-8",
            "POSTGRES_PASSWORD": secret["super"],
        },
        ports={"5432/tcp": (HOST, 0)},
        tmpfs={
            "/tmp": "",
            "/run/postgresql": "uid=999,gid=999,mode=3777",
            **tmpfs,
        },
        shm_size="256m",
        detach=True,
        **common,
    )
    port = _published(container, "5432/tcp")
    _wait_for_postgres(container, _servers(secret, str(container.id), port))
    return container, port


def _wait_for_postgres(container: Container, servers: Servers) -> None:
    def ask() -> None:
        psycopg2.connect(
            host=HOST,
            port=servers.postgres_port,
            user="mindgraph_user",
            password=servers.app_password,
            dbname="mindgraph",
        ).close()

    _wait(container, ask, psycopg2.OperationalError)


def _redis(client: docker.DockerClient, secret: dict[str, str], common: dict[str, Any]) -> int:
    container = client.containers.run(
        image("redis"),
        environment={"REDIS_PASSWORD": secret["redis"]},
        ports={"6379/tcp": (HOST, 0)},
        tmpfs={"/tmp": "", "/data": "uid=999,gid=999,mode=700"},
        detach=True,
        **common,
    )
    port = _published(container, "6379/tcp")
    with redis.Redis(host=HOST, port=port, password=secret["redis"], socket_timeout=5) as asking:
        _wait(container, asking.ping, redis.RedisError)
    return port


def _qdrant(
    client: docker.DockerClient, secret: dict[str, str], common: dict[str, Any]
) -> tuple[Container, int]:
    container = client.containers.run(
        image("qdrant"),
        environment={"QDRANT__SERVICE__API_KEY": secret["qdrant"]},
        ports={"6333/tcp": (HOST, 0)},
        tmpfs={"/tmp": "", "/qdrant/storage": "uid=1000,gid=1000,mode=700"},
        detach=True,
        **common,
    )
    port = _published(container, "6333/tcp")
    with httpx.Client(trust_env=False, timeout=5) as asking:
        url = f"http://{HOST}:{port}/readyz"
        _wait(container, lambda: asking.get(url).raise_for_status(), httpx.HTTPError)
    return container, port


def _published(container: Container, port: str) -> int:
    container.reload()
    published = container.ports[port]
    assert published
    return int(published[0]["HostPort"])


def _wait(container: Container, ask: Callable[[], object], not_yet: type[Exception]) -> None:
    """Until `ask` raises `not_yet` no more."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            ask()
            return
        except not_yet as error:
            container.reload()
            if container.status != "running" or time.monotonic() > deadline:
                said = container.logs(tail=20).decode(errors="replace")
                raise ServersFailed(f"{container.image} isn't ready: {error}\n{said}") from error
            time.sleep(0.05)
