"""All checks of the machine, and those that the app makes of itself."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import shutil
import socket
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

from host import programs
from host.checks import (
    backups,
    certificates,
    checkout,
    containers,
    engine,
    firewall,
    kernel,
    machine,
    pooler,
    ports,
    redacting,
    settings,
)
from host.checks.finding import Finding, failure, warning
from host.errors import HostError
from host.stack import Stack

HTTPS = "HTTPS_PORT"
# It waits 10 seconds for a job, and may compare 50,000 passages.
APP_PATIENCE_S = 180
# Who listens on every address is asked on the loopback.
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104


class Machine:
    """This machine with its stack. `root` has its proc, sys and etc."""

    def __init__(self, stack: Stack, root: Path = Path("/")) -> None:
        self.stack = stack
        self.root = root
        self.settings = stack.settings()
        self.production = self.settings.get("ENVIRONMENT", "").lower() == "production"

    def examine(self) -> list[Finding]:
        """Goes on without the engine, whose absence is a finding."""
        return [*self._machine(), *self._files(), *self._stack()]

    def ask_app(self) -> list[Finding]:
        """What the app's own doctor finds, where it runs."""
        answer = self.app("doctor", "--json")
        if answer is None:
            return []
        said = answer[1]
        try:
            checks = json.loads(said.strip().splitlines()[-1])["checks"]
            return [Finding(**one, where="app") for one in checks]
        except (IndexError, KeyError, TypeError, ValueError):
            seen = f"its doctor can't say what it finds: {said.strip()[-300:]}"
            return [failure("app", seen, "`docker compose logs app` says why")]

    def app(self, *command: str) -> Optional[tuple[int, str]]:
        """Runs a command of the app; its exit code and what it said. None where it doesn't run."""
        if not self._runs("app"):
            return None
        arguments = ("exec", "--no-TTY", "app", "mindgraph", *command)
        with self.stack.start(*arguments, stdout=subprocess.PIPE) as started:
            try:
                out, wrong = started.communicate(timeout=APP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                started.kill()
                return 1, f"no answer in {APP_PATIENCE_S} s"
        said = out if out.strip() else wrong
        return started.returncode, said.decode(errors="replace")

    def defaults(self) -> dict[str, str]:
        """What .env.example has, also where it is only shown."""
        return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", self._example(), re.MULTILINE))

    def private(self) -> list[str]:
        """Words that a report must not have."""
        own = (socket.gethostname(), getpass.getuser(), str(Path.home()))
        more = [one for one in own if one not in ("root", "/root")]
        return redacting.private(self.settings, str(self.stack.folder), *more)

    def _machine(self) -> Iterator[Finding]:
        yield machine.cores(os.cpu_count() or 1)
        yield machine.memory(self.root)
        yield machine.disk("disk-checkout", self.stack.folder)
        yield machine.clock(
            programs.said("timedatectl", "show", "--property", "NTPSynchronized", "--value")
        )
        yield kernel.overcommit(self.root)
        yield kernel.huge_pages(self.root)

    def _files(self) -> Iterator[Finding]:
        yield checkout.drive(self.root, self.stack.folder)
        yield checkout.line_ends(self.stack.folder)
        yield from settings.examine(self.stack.env_file, self.settings, self._example())

    def _example(self) -> str:
        return (self.stack.folder / ".env.example").read_text(encoding="utf-8")

    def _stack(self) -> Iterator[Finding]:
        server = json.loads(programs.said("docker", "info", "--format", "{{json .}}") or "{}")
        if not server.get("ServerVersion"):
            yield failure("docker", "no engine answers", "`make engine` says how to start one")
            return
        yield from self._engine(server)
        try:
            config = self.stack.config()
        except HostError as error:
            reason = str(error).strip().splitlines()[-1]
            yield failure("compose-files", reason, f"correct {self.stack.env_file}, then again")
            return
        yield from self._of_config(config)

    def _engine(self, server: Mapping[str, Any]) -> Iterator[Finding]:
        compose = programs.said("docker", "compose", "version", "--short")
        yield from engine.versions(server, compose, platform.release())
        data = str(server.get("DockerRootDir", ""))
        yield engine.origin(Path(shutil.which("docker") or "").resolve(), data)
        yield engine.limits(server)
        yield machine.disk("disk-docker", Path(data))

    def _of_config(self, config: Mapping[str, Any]) -> Iterator[Finding]:
        found = self._containers()
        running = containers.running(found)
        active = [name for name, of in config["services"].items() if of.get("scale", 1)]
        wanted = [one for one in ports.published(config) if one.service in active]
        yield from containers.examine(found, active)
        yield from ports.examine(self.root, wanted, running)
        yield firewall.examine(self.root, wanted)
        yield from pooler.examine(config)
        yield from self._certificate(wanted, running)
        yield self._backup(bool(running))

    def _containers(self) -> list[dict[str, Any]]:
        ids = self.stack.compose("ps", "--all", "--quiet").split()
        if not ids:
            return []
        found: list[dict[str, Any]] = json.loads(programs.said("docker", "inspect", *ids) or "[]")
        return found

    def _runs(self, service: str) -> bool:
        try:
            return service in containers.running(self._containers())
        except (HostError, OSError):
            return False

    def _certificate(self, wanted: list[ports.Published], running: list[str]) -> Iterator[Finding]:
        name = self.settings.get("SITE_ADDRESS") or "localhost"
        for one in wanted:
            if one.setting == HTTPS and one.service in running:
                address = ANY.get(one.address, one.address)
                found = certificates.examine(address, one.port, name, datetime.now(timezone.utc))
                yield certificates.with_refusal(found, self._log_of("proxy"))

    def _log_of(self, service: str) -> str:
        try:
            return self.stack.compose("logs", "--no-log-prefix", "--tail", "500", service)
        except HostError:
            return ""

    def _backup(self, is_running: bool) -> Finding:
        if not is_running and self.production:
            seen = "can't be looked at while the stack does not run"
            return warning("backup", seen, "start it: `make up-prod`")
        said = self._manifests() if is_running else None
        return backups.examine(said, datetime.now(timezone.utc), production=self.production)

    def _manifests(self) -> Optional[str]:
        """What `mindgraph backups --json` says of this stack."""
        command = self.stack.folder / "deploy" / "mindgraph"
        return programs.said(
            "env", f"MINDGRAPH_ENV_FILE={self.stack.env_file}", str(command), "backups", "--json"
        )
