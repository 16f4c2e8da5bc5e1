"""Containers of the base images for the contract test; whatever a run starts, it removes."""

import io
import os
import re
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import docker
from docker.errors import APIError
from docker.models.containers import Container

ROOT = Path(__file__).resolve().parents[2]
LABEL = "org.mindgraph.test"
KINDS = ("python", "postgres", "redis", "qdrant")
T = TypeVar("T")
HARDENED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}


def run_images(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs docker/images.sh on this checkout's compose.yaml, with stand-ins for its secrets."""
    required = re.findall(r"\$\{(\w+):?\?", (ROOT / "compose.yaml").read_text("utf-8"))
    base = dict.fromkeys(required, "unused") | {"COMPOSE_PROJECT_NAME": "unused"}
    environ = {**os.environ, **base, "COMPOSE_FILE": str(ROOT / "compose.yaml"), **environment}
    script = ROOT / "docker" / "images.sh"
    return subprocess.run(
        ["bash", str(script), command], env=environ, capture_output=True, text=True, check=False
    )


def references(table: str) -> dict[str, str]:
    """The image of each kind from the table that images.sh prints."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return dict(zip(KINDS, [row[0] for row in rows], strict=True))


def eventually(attempt: Callable[[], T], *errors: type[Exception], patience: float = 60.0) -> T:
    """Returns what `attempt` does once it raises none of `errors` any more."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return attempt()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@dataclass
class Containers:
    client: docker.DockerClient
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    volumes: list[str] = field(default_factory=list)

    def start(
        self,
        image: str,
        command: Any = None,
        files: Mapping[str, str | bytes] | None = None,
        **options: Any,
    ) -> Container:
        """Starts a container; a file whose name ends in `*` is made executable."""
        container = self.client.containers.create(
            image, command, labels={LABEL: self.run}, detach=True, **options
        )
        for path, content in (files or {}).items():
            container.put_archive("/", packed(path, content))
        container.start()
        return container

    def output(self, image: str, command: Any, **options: Any) -> str:
        container = self.start(image, command, **options)
        status = container.wait()["StatusCode"]
        text = container.logs().decode()
        assert status == 0, text
        return text.strip()

    def volume(self) -> str:
        name = f"mindgraph-test-{self.run}-{len(self.volumes)}"
        self.client.volumes.create(name, labels={LABEL: self.run})
        self.volumes.append(name)
        return name

    def __enter__(self) -> "Containers":
        return self

    def __exit__(self, *_: object) -> None:
        found = self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.run}"})
        for container in found:
            container.remove(force=True, v=True)
        for name in self.volumes:
            self.client.volumes.get(name).remove(force=True)


def packed(path: str, content: str | bytes) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(path.strip("/*"))
        entry.size, entry.mode = len(content), 0o755 if path.endswith("*") else 0o644
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def host_port(container: Container, port: int) -> int:
    def read() -> int:
        container.reload()
        published: Any = container.ports[f"{port}/tcp"]
        return int(published[0]["HostPort"])

    return eventually(read, KeyError, TypeError, IndexError, patience=10)


def loopback(port: int) -> dict[str, Any]:
    return {f"{port}/tcp": ("127.0.0.1", None)}


def restarted(container: Container) -> None:
    """Starts a container again, which the engine may still be taking down."""
    eventually(container.start, APIError, patience=10)


def exit_code_after_stop(container: Container) -> int:
    """Stops with the image's own signal; 137 would mean that the grace period ran out."""
    container.stop(timeout=20)
    return int(container.wait()["StatusCode"])
