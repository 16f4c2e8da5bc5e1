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
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence

import stale_containers

from host import programs
from host.backups.postgres import Postgres
from host.checks import (
    backups,
    certificates,
    checkout,
    containers,
    database,
    disks,
    engine,
    firewall,
    images,
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
# Files of the pooler, each with a certificate that the stack itself has made.
INSIDE = {"certificate-inside": "server.crt", "certificate-authority": "ca.crt"}
# It waits 10 seconds for a job, and may compare 50,000 passages.
APP_PATIENCE_S = 180
# Who listens on every address is asked on the loopback.
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104


class NotSeen(Exception):
    """What a check would look at isn't there, which is a finding by itself."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.seen)
        self.finding = finding


class Machine:
    """This machine with its stack. `root` has its proc, sys and etc."""

    def __init__(self, stack: Stack, root: Path = Path("/")) -> None:
        self.stack = stack
        self.root = root
        self.settings = stack.settings()
        self.production = self.settings.get("ENVIRONMENT", "").lower() == "production"

    def parts(self) -> dict[str, Callable[[], Iterable[Finding]]]:
        """What can be looked at, each by itself."""
        return {
            "machine": self._machine,
            "files": self._files,
            "engine": self._engine,
            "images": self._images,
            "containers": self._of_containers,
            "ports": self._ports,
            "pooler": lambda: pooler.examine(self.config),
            "certificates": self._certificates,
            "disks": self._disks,
            "archive": self._archive,
            "backups": self._backups,
            "app": self.ask_app,
        }

    def examine(self, only: Sequence[str] = ()) -> list[Finding]:
        """Goes on without the engine, whose absence is a finding."""
        found: list[Finding] = []
        for name, part in self.parts().items():
            if only and name not in only:
                continue
            try:
                found += part()
            except NotSeen as error:
                if error.finding not in found:
                    found.append(error.finding)
            except HostError as error:
                reason = str(error).strip().splitlines()[-1]
                found.append(failure(name, reason, "`docker compose ps --all` shows who runs"))
        return found

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

    @cached_property
    def server(self) -> dict[str, Any]:
        """What the engine says of itself. Raises NotSeen."""
        said = programs.said("docker", "info", "--format", "{{json .}}")
        found: dict[str, Any] = json.loads(said or "{}")
        if not found.get("ServerVersion"):
            fix = "`make engine` says how to start one"
            raise NotSeen(failure("docker", "no engine answers", fix))
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """The stack, as Compose reads it. Raises NotSeen."""
        assert self.server
        try:
            return self.stack.config()
        except HostError as error:
            reason = str(error).strip().splitlines()[-1]
            fix = f"correct {self.stack.env_file}, then again"
            raise NotSeen(failure("compose-files", reason, fix)) from error

    @cached_property
    def active(self) -> list[str]:
        """The services that should run."""
        services = self.config["services"].items()
        return [name for name, of in services if of.get("scale", 1)]

    @cached_property
    def running(self) -> list[str]:
        return containers.running(self._containers()) if self.config else []

    def _engine(self) -> Iterator[Finding]:
        compose = programs.said("docker", "compose", "version", "--short")
        yield from engine.versions(self.server, compose, platform.release())
        data = str(self.server.get("DockerRootDir", ""))
        yield engine.origin(Path(shutil.which("docker") or "").resolve(), data)
        yield engine.limits(self.server)
        yield machine.disk("disk-docker", Path(data))

    def _images(self) -> Iterator[Finding]:
        now = datetime.now(timezone.utc)
        shape = ("--format", "{{.Created}}")
        for name in self.active:
            image = str(self.config["services"][name]["image"])
            created = programs.said("docker", "image", "inspect", *shape, image)
            yield images.examine(name, created, now)

    def _of_containers(self) -> list[Finding]:
        return containers.examine(self._containers(), self.active) if self.config else []

    def _ports(self) -> Iterator[Finding]:
        wanted = [one for one in ports.published(self.config) if one.service in self.active]
        yield from ports.examine(self.root, wanted, self.running)
        yield firewall.examine(self.root, wanted)

    def _certificates(self) -> Iterator[Finding]:
        name, now = self.settings.get("SITE_ADDRESS") or "localhost", datetime.now(timezone.utc)
        for one in ports.published(self.config):
            if one.setting == HTTPS and one.service in self.running:
                address = ANY.get(one.address, one.address)
                found = certificates.examine(address, one.port, name, now)
                yield certificates.with_refusal(found, self._log_of("proxy"))
        for check, file in INSIDE.items():
            if "pgbouncer" in self.running:
                place = f"/run/secrets/{file}"
                text = self._said("pgbouncer", "cat", place)
                written = self._said("pgbouncer", "stat", "--format", "%Y", place)
                served = int(written or 0) <= self._started("pgbouncer")
                yield certificates.examine_inside(check, text or "", now, is_served=served)

    def _disks(self) -> Iterator[Finding]:
        for name, (service, place) in disks.VOLUMES.items():
            there = name != "backups" or "backups" in self.config["volumes"]
            if service in self.running and there:
                yield disks.examine(name, self._said(service, *disks.command(place)))
        if "postgres" in self.running:
            yield database.writes(refused=Postgres(self.stack).is_read_only())

    def _archive(self) -> Iterator[Finding]:
        if self.production and "postgres" in self.running:
            yield database.archive(Postgres(self.stack).gaps())

    def _containers(self) -> list[dict[str, Any]]:
        ids = self.stack.compose("ps", "--all", "--quiet").split()
        if not ids:
            return []
        found: list[dict[str, Any]] = json.loads(programs.said("docker", "inspect", *ids) or "[]")
        return found

    def _started(self, service: str) -> float:
        """The last of its containers, in seconds of the epoch."""
        found = [one for one in self._containers() if containers.service(one) == service]
        return max(stale_containers.started(one["State"]["StartedAt"]) for one in found)

    def _said(self, service: str, *command: str) -> Optional[str]:
        try:
            return self.stack.run_in(service, *command)
        except HostError:
            return None

    def _runs(self, service: str) -> bool:
        try:
            return service in containers.running(self._containers())
        except (HostError, OSError):
            return False

    def _log_of(self, service: str) -> str:
        try:
            return self.stack.compose("logs", "--no-log-prefix", "--tail", "500", service)
        except HostError:
            return ""

    def _backups(self) -> Iterator[Finding]:
        if not self.running and self.production:
            seen = "can't be looked at while the stack does not run"
            yield warning("backup", seen, "start it: `deploy/mindgraph start`")
            return
        said = self._manifests() if self.running else None
        yield backups.examine(said, datetime.now(timezone.utc), production=self.production)

    def _manifests(self) -> Optional[str]:
        """What `mindgraph backups --json` says of this stack."""
        command = self.stack.folder / "deploy" / "mindgraph"
        return programs.said(
            "env", f"MINDGRAPH_ENV_FILE={self.stack.env_file}", str(command), "backups", "--json"
        )
