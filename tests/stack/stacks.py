"""Stacks for tests: real Compose projects, each with its own name, port, secrets and data."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import docker
import httpx
from docker.errors import NotFound
from docker.models.containers import Container

from . import leftovers

CHECKOUT = Path(__file__).resolve().parents[2]
SERVICES = ("postgres", "redis", "qdrant", "app", "worker")
PRODUCTION = (CHECKOUT / "compose.prod.yaml",)
READY = "http://127.0.0.1:8000/readyz"
KEPT_LOGS = CHECKOUT / "build" / "stack-logs"
ROLES = {
    "postgres": "POSTGRES_PASSWORD",
    "mindgraph_backup": "DATABASE_BACKUP_PASSWORD",
    "mindgraph_owner": "DATABASE_OWNER_PASSWORD",
    "mindgraph_readonly": "DATABASE_READONLY_PASSWORD",
    "mindgraph_user": "DATABASE_PASSWORD",
}
# Long, because two cores may be shared with a build.
PATIENCE_S = 120.0

_spec = importlib.util.spec_from_file_location("env_format", CHECKOUT / "docker" / "env_format.py")
assert _spec
assert _spec.loader
env_format = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(env_format)


class StackFailed(AssertionError):
    """The stack did not do what was asked; the text names the folder with its logs."""


class Stack:
    """One Compose project on the images of this checkout.

    Use it as a context manager: whatever happens, its containers, networks and volumes go.
    """

    def __init__(
        self,
        *overlays: Path,
        settings: Mapping[str, str] | None = None,
        checkout: Path = CHECKOUT,
    ) -> None:
        """`settings` go into the env file, over generated ones; `overlays` after compose.yaml."""
        self.engine = docker.from_env()
        self.checkout = checkout
        self.files = [checkout / "compose.yaml", *overlays]
        self.folder = leftovers.reserve()
        self.project = self.folder.name
        self.env_file = self.folder / "env"
        self.env = generated(self.env_file, self.project, *self._kind())
        self.set(**{"IMAGE_NAMESPACE": image_namespace(), **self._own(), **(settings or {})})

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # Compose fails with a reason of its own, and names the folder there.
            if kind is not None and not isinstance(error, StackFailed):
                self.keep_logs("leaving")
        finally:
            leftovers.remove(self.engine, self.folder)
            self.engine.close()

    def set(self, **settings: str) -> None:
        """Changes the env file; running containers don't see it before the next `up`."""
        self.env.update(settings)
        lines = [f"{name}={env_format.quote(value)}\n" for name, value in self.env.items()]
        self.env_file.write_text("".join(lines), encoding="utf-8")

    def read_settings(self) -> None:
        """After something else has changed the env file."""
        self.env = dict(env_format.parse(self.env_file.read_text(encoding="utf-8"), {}))

    @property
    def is_production(self) -> bool:
        return any(file.name == "compose.prod.yaml" for file in self.files)

    def _kind(self) -> list[str]:
        return ["--production"] if self.is_production else []

    def _own(self) -> dict[str, str]:
        """What two stacks of production on one machine can't share."""
        if not self.is_production:
            return {}
        http, https = free_ports(2)
        return {
            "COMPOSE_FILE": ":".join(map(str, self.files)),
            "HTTPS_PORT": str(https),
            "HTTP_PORT": str(http),
            "PUBLIC_BIND": "127.0.0.1",
            "SECRETS_DIR": str(self.folder / "secrets"),
        }

    @property
    def url(self) -> str:
        if self.is_production:
            return f"https://localhost:{self.env['HTTPS_PORT']}"
        return f"http://127.0.0.1:{self.env['APP_PORT']}"

    @property
    def verify(self) -> ssl.SSLContext:
        """Trusts the proxy's own authority, as a machine of a local network would be made to."""
        root = "/data/caddy/pki/authorities/local/root.crt"
        found = self.run_in("proxy", "cat", root)
        assert found.returncode == 0, found.stderr
        return ssl.create_default_context(cadata=found.stdout)

    def compose(
        self,
        *arguments: str,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Runs `docker compose` on this stack. Raises StackFailed with its output if it fails."""
        done = subprocess.run(
            [
                *("docker", "compose", "--progress", "plain", "--project-name", self.project),
                *("--env-file", str(self.env_file)),
                *(part for file in self.files for part in ("--file", str(file))),
                *arguments,
            ],
            capture_output=True,
            check=False,
            cwd=self.checkout,
            encoding="utf-8",
            input=stdin,
            env={**bare_environment(), **(environment or {})},
        )
        if check and done.returncode:
            kept = self.keep_logs(arguments[0])
            raise StackFailed(
                f"`docker compose {' '.join(arguments)}` ended with {done.returncode}; the logs of "
                f"all services are in {kept}\n{done.stdout[-3000:]}{done.stderr[-5000:]}"
            )
        return done

    def up(self, *arguments: str) -> None:
        """Returns when every service is healthy."""
        self.make_secrets()
        self.compose("up", "--detach", "--wait", "--no-build", "--pull", "never", *arguments)

    def make_secrets(self) -> None:
        """Production's files, as `make up-prod` makes them."""
        if not self.is_production:
            return
        script = str(self.checkout / "docker" / "secret_files.py")
        command = [sys.executable, script, str(self.env_file)]
        done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8")
        if done.returncode:
            raise StackFailed(done.stderr)

    def down(self, *arguments: str) -> None:
        self.compose("down", *arguments)

    def containers(self, service: str | None = None) -> list[Container]:
        """The containers, also stopped ones, as the engine sees them now."""
        labels = [f"com.docker.compose.project={self.project}"]
        if service:
            labels.append(f"com.docker.compose.service={service}")
        filters: Any = {"label": labels}
        found = self.engine.containers.list(all=True, ignore_removed=True, filters=filters)
        return sorted(found, key=lambda one: one.name or "")

    def container(self, service: str) -> Container:
        found = self.containers(service)
        assert len(found) == 1, f"{self.project} has {len(found)} containers of {service}"
        return found[0]

    def state(self, service: str) -> dict[str, Any]:
        state: dict[str, Any] = self.container(service).attrs["State"]
        return state

    def health(self, service: str) -> str:
        return str(self.state(service)["Health"]["Status"])

    def logs(self, service: str) -> str:
        return "".join(one.logs().decode("utf-8", "replace") for one in self.containers(service))

    def run_in(
        self, service: str, *command: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in a service's container and returns its end, whatever it is."""
        ended = self.container(service).exec_run(list(command), environment=environment, demux=True)
        assert ended.exit_code is not None
        output: Any = ended.output
        out, err = (part.decode("utf-8", "replace") if part else "" for part in output)
        return subprocess.CompletedProcess(command, ended.exit_code, out, err)

    def psql(
        self, role: str, statement: str, password: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Asks the database over TCP, with the role's password of the env file by default."""
        return self.run_in(
            "postgres",
            *("psql", "--no-psqlrc", "--no-align", "--tuples-only", "--host", "postgres"),
            *("--username", role, "--dbname", "mindgraph", "--command", statement),
            PGPASSWORD=self.env[ROLES[role]] if password is None else password,
        )

    def sql(self, role: str, statement: str) -> str:
        done = self.psql(role, statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sql_inside(self, statement: str) -> str:
        """As the superuser, which only the container's own user may be."""
        done = self.run_in(
            "postgres",
            *("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"),
            *("--username", "postgres", "--dbname", "mindgraph", "--command", statement),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def readiness(self) -> dict[str, Any]:
        """The answer of /readyz, or {} while there is none."""
        with contextlib.suppress(httpx.TransportError, json.JSONDecodeError):
            if self.is_production:
                # The proxy doesn't hand it on.
                probe = f"import urllib.request as r; print(r.urlopen('{READY}').read().decode())"
                return dict(json.loads(self.run_in("app", "python3", "-c", probe).stdout))
            answer = httpx.get(f"{self.url}/readyz", timeout=20, trust_env=False)
            body: dict[str, Any] = answer.json()
            return body
        return {}

    def is_well(self) -> bool:
        """Whether all containers run and are healthy, and the app reaches all it needs."""
        states = [one.attrs["State"] for one in self.containers()]
        healthy = [s["Running"] and s.get("Health", {}).get("Status") == "healthy" for s in states]
        return bool(healthy) and all(healthy) and self.readiness().get("ready") is True

    def wait(self, until: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Polls; raises StackFailed, with the logs kept, when it doesn't come true in time."""
        deadline = time.monotonic() + patience_s
        while not self.holds(until):
            if time.monotonic() > deadline:
                kept = self.keep_logs("waiting")
                raise StackFailed(f"in {patience_s:.0f} s it never came true that {what}: {kept}")
            time.sleep(0.1)

    def holds(self, condition: Callable[[], object]) -> bool:
        # Between a kill and the next start a container has parts missing.
        with contextlib.suppress(NotFound):
            return bool(condition())
        return False

    def wait_until_well(self) -> None:
        self.wait(self.is_well, "all services are healthy and the app is ready")

    def keep_logs(self, why: str) -> Path:
        """Writes what the containers said and how they are into a folder, and names it."""
        folder = KEPT_LOGS / f"{self.project}-{re.sub(r'[^0-9A-Za-z_]+', '-', why)[:80]}"
        folder.mkdir(parents=True, exist_ok=True)
        for container in self.containers():
            name = (container.name or "").removeprefix(f"{self.project}-")
            (folder / f"{name}.log").write_bytes(container.logs(timestamps=True))
            state = json.dumps(container.attrs["State"], indent=1, ensure_ascii=False)
            (folder / f"{name}.json").write_text(state, encoding="utf-8")
        return folder


def bare_environment() -> dict[str, str]:
    """The environment without what would win over the env file of a stack."""
    text = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    settings = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
    return {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.startswith("COMPOSE_")
    }


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nothing listens on now, and that nothing else is given soon."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def generated(env_file: Path, project: str, *options: str) -> dict[str, str]:
    """The settings of a fresh env file, as `make env` makes it, with a port of its own."""
    subprocess.run(
        [sys.executable, str(CHECKOUT / "docker" / "env.py"), "--file", str(env_file), *options],
        check=True,
        capture_output=True,
        # CI: runs that start at the same second must not find the same port.
        env={**bare_environment(), "CI": "true", "COMPOSE_PROJECT_NAME": project},
    )
    return dict(env_format.parse(env_file.read_text(encoding="utf-8"), {}))


def image_namespace() -> str:
    """What the names of this checkout's images begin with."""
    given = os.environ.get("MINDGRAPH_TEST_IMAGES")
    env_file = CHECKOUT / ".env"
    if given:
        return given
    if not env_file.exists():
        raise StackFailed(f"{env_file} is missing, and so are the images: run `make build` first")
    settings = env_format.parse(env_file.read_text(encoding="utf-8"))
    return str(settings.get("IMAGE_NAMESPACE") or settings["COMPOSE_PROJECT_NAME"])


@contextlib.contextmanager
def running(*overlays: Path, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A stack that is up, for as long as the block lasts."""
    with Stack(*overlays, settings=settings) as stack:
        stack.up()
        yield stack
