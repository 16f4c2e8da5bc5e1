"""A server with the API of S3 for tests, on the networks of stacks, with TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
import trustme
from docker.models.containers import Container

from . import built_images, leftovers
from .stacks import Stack, free_ports

NAME = "s3.school.test"
PORT = 9000
BUCKET = "school"
BUILD = Path(__file__).with_name("s3")


class Server(leftovers.Reserved):
    """`settings` make a stack keep its backups here."""

    def __init__(self) -> None:
        self.engine = docker.from_env()
        self.folder = leftovers.reserve()
        self.folder.chmod(0o755)
        self.authority = trustme.CA()
        self._write_certificate()
        [self._port] = free_ports(1)
        self.container = self._run()

    @property
    def settings(self) -> dict[str, str]:
        return {
            "BACKUP_S3_BUCKET": BUCKET,
            "BACKUP_S3_CA": str(self.folder / "authority.crt"),
            "BACKUP_S3_ENDPOINT": f"{NAME}:{PORT}",
            "BACKUP_S3_KEY": "somebody",
            "BACKUP_S3_SECRET": "a secret that nobody knows",
        }

    def join(self, stack: Stack) -> None:
        """Can be reached from the stack's network for backups, also of one that is yet to start."""
        stack.compose("create", "--no-build", "--pull", "never", "postgres")
        network = self.engine.networks.get(f"{stack.project}_archive")
        network.connect(self.container, aliases=[NAME])

    def leave(self, stack: Stack) -> None:
        self.engine.networks.get(f"{stack.project}_archive").disconnect(self.container)

    @contextmanager
    def joined(self, stack: Stack) -> Iterator[None]:
        """The same for as long as the block lasts; a network in use could not be removed."""
        self.join(stack)
        try:
            yield
        finally:
            self.leave(stack)

    def make_bucket(self, stack: Stack) -> None:
        """Returns when there is one."""
        address = f"https://127.0.0.1:{self._port}/{BUCKET}"
        context = ssl.create_default_context(cafile=str(self.folder / "authority.crt"))

        def made() -> bool:
            try:
                answer = httpx.put(address, verify=context, trust_env=False)
            except httpx.TransportError:
                return False
            return answer.status_code == 200

        stack.wait(made, "the bucket is made")

    def _write_certificate(self) -> None:
        self.authority.cert_pem.write_to_path(self.folder / "authority.crt")
        own = self.authority.issue_cert(NAME, "127.0.0.1")
        own.private_key_pem.write_to_path(self.folder / "server.key")
        for part in own.cert_chain_pems:
            part.write_to_path(self.folder / "server.crt", append=True)

    def _run(self) -> Container:
        options: Any = {
            "labels": {
                "com.docker.compose.project": self.folder.name,
                "com.docker.compose.service": "s3",
            },
            "ports": {f"{PORT}/tcp": ("127.0.0.1", self._port)},
            "volumes": {str(self.folder): {"bind": "/certificates", "mode": "ro"}},
        }
        return self.engine.containers.run(
            built_images.image(self.engine, BUILD, "postgres"), detach=True, init=True, **options
        )
