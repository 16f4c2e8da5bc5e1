"""An authority for tests that signs by ACME, after a look at the proxy's published ports."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import docker

from . import leftovers
from .base_images import eventually
from .stacks import image_namespace

HOST = "acme.example.test"
# The same authority, which here refuses every order.
CLOSED = "closed.example.test"
ROOT = "/data/caddy/pki/authorities/local/root.crt"
CONFIGURATION = """
{
    admin off
    auto_https disable_redirects
    skip_install_trust
}
https://acme.example.test:8443 {
    tls internal
    acme_server
}
https://closed.example.test:8443 {
    tls internal
    handle /acme/local/new-order {
        header Content-Type application/problem+json
        respond `REFUSAL` 403
    }
    acme_server
}
"""
REFUSAL = {
    "type": "urn:ietf:params:acme:error:rejectedIdentifier",
    "detail": "no certificate for names of others",
}
OVERLAY = """
services:
  proxy:
    networks: [authority]
networks:
  authority: { external: true, name: NAME }
"""


class Authority(leftovers.Reserved):
    """Knows `name` as an address of this machine, to which the proxy's ports are published."""

    def __init__(self, name: str) -> None:
        self.engine = docker.from_env()
        self.folder = leftovers.reserve()
        self.name = name
        self.labels = {"com.docker.compose.project": self.folder.name}
        self.network = self.engine.networks.create(self.folder.name, labels=self.labels)
        self.network.reload()
        self.address = str(self.network.attrs["IPAM"]["Config"][0]["Gateway"])
        self._start()

    def _start(self) -> None:
        configuration = self.folder / "Caddyfile"
        configuration.write_text(CONFIGURATION.replace("REFUSAL", json.dumps(REFUSAL)))
        memory = "uid=10002,gid=10002,mode=0700"
        options: Any = {
            "entrypoint": ["caddy"],
            "extra_hosts": {self.name: self.address},
            "labels": self.labels,
            "tmpfs": {"/config": memory, "/data": memory},
            "user": "0:0",
            "volumes": [f"{configuration}:/Caddyfile:ro"],
        }
        command = ["run", "--config", "/Caddyfile", "--adapter", "caddyfile"]
        self.container = self.engine.containers.create(
            f"{image_namespace()}-proxy", command, network=self.network.name, **options
        )
        self.network.disconnect(self.container)
        self.network.connect(self.container, aliases=[HOST, CLOSED])
        self.container.start()
        self.root = eventually(self._read_root, AssertionError)
        (self.folder / "root.crt").write_text(self.root)
        (self.folder / "overlay.yaml").write_text(OVERLAY.replace("NAME", self.folder.name))

    def _read_root(self) -> str:
        found = self.container.exec_run(["cat", ROOT])
        output: Any = found.output
        assert found.exit_code == 0, output
        return str(output.decode())

    @property
    def overlay(self) -> Path:
        """Lets the proxy reach it."""
        return self.folder / "overlay.yaml"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "HTTPS_PORT": "443",
            "HTTP_PORT": "80",
            "PUBLIC_BIND": self.address,
            "SITE_ADDRESS": self.name,
            "TLS": "acme",
            "TLS_ACME_CA": str(self.folder / "root.crt"),
            "TLS_ACME_DIRECTORY": directory(HOST),
        }

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.root)


def directory(host: str) -> str:
    return f"https://{host}:8443/acme/local/directory"
