"""Containers that do one thing with volumes of a stack, and are gone."""

from __future__ import annotations

import base64
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from typing import IO, Mapping, Sequence

from host import engine
from host.errors import HostError
from host.stack import Stack

# The label of every container that such work makes.
LABEL = "mindgraph.operation"
# Volumes, as the compose files name them, and where their services have them.
FILES, POSTGRES, REDIS, QDRANT, BACKUPS = "files", "postgres", "redis", "qdrant", "backups"
PLACES = {
    FILES: "/var/lib/mindgraph",
    POSTGRES: "/var/lib/postgresql/data",
    REDIS: "/data",
    QDRANT: "/qdrant/storage",
    BACKUPS: "/var/lib/pgbackrest",
}
# The database's network for a server of S3, and the file that makes it.
ARCHIVE, OVERLAY = "archive", "docker/postgres/s3.yaml"
# What root in a container needs for the files of others.
READING = ("DAC_OVERRIDE",)
WRITING = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


class ToolFailed(HostError):
    """A command in such a container ended with an error, `ended`."""

    def __init__(self, text: str, ended: int) -> None:
        super().__init__(text)
        self.ended = ended


@dataclass(frozen=True)
class Mount:
    volume: str
    path: str
    writable: bool = False

    @property
    def argument(self) -> str:
        return f"--volume={self.volume}:{self.path}" + ("" if self.writable else ":ro")


@dataclass(frozen=True)
class Tool:
    """A command in the image of a service, as root when it has `capabilities`, else as the image's
    own user. In postgres' image it gets the settings of backups, and `settings`."""

    service: str
    command: Sequence[str]
    mounts: Sequence[Mount] = ()
    capabilities: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return " ".join(self.command[:3])


class Toolbox:
    """Works beside a stack, whether that runs or not; with `changes`, as if its env file had these
    settings as well."""

    def __init__(self, stack: Stack, changes: Mapping[str, str] | None = None) -> None:
        self.stack = stack
        self.config = stack.config(changes)
        self.settings = stack.settings()
        self.project = str(self.config["name"])

    def volume(self, key: str) -> str:
        """The name of the volume in use."""
        found = self.config["volumes"].get(key)
        if not found:
            raise HostError(
                f"this stack has no volume {key}: is compose.prod.yaml in COMPOSE_FILE?"
            )
        return str(found["name"])

    def is_bundled(self, service: str) -> bool:
        """Whether the stack runs it itself, and no server elsewhere is used."""
        return bool(self.config["services"][service].get("scale", 1))

    def image(self, service: str) -> str:
        return str(self.config["services"][service]["image"])

    def run(self, tool: Tool, source: IO[bytes] | None = None) -> str:
        """Returns what the tool said on stdout. It gets `source`, up to its end, on stdin.

        Raises:
            ToolFailed: with what it said on stderr.
        """
        process = self._start(tool)
        feeder = threading.Thread(target=self._feed, args=(tool, process, source), daemon=True)
        feeder.start()
        out, err = _both(process)
        feeder.join()
        if process.wait():
            reason = err.strip() or out.strip()
            raise ToolFailed(f"`{tool.shown}` failed: {reason[-3000:]}", process.returncode)
        return out

    def pipe(self, giver: Tool, taker: Tool) -> str:
        """Runs both, the taker with what the giver says on stdout. Raises ToolFailed."""
        process = self._start(giver)
        self._feed(giver, process, None)
        out = self.run(taker, process.stdout)
        said = _open(process.stderr).read().decode(errors="replace").strip()
        if process.wait():
            raise ToolFailed(f"`{giver.shown}` failed: {said[-3000:]}", process.returncode)
        return out

    def pipe_into(self, giver: Tool, taker: subprocess.Popen[bytes]) -> None:
        """The same, with a process that runs already, and reads what it is given to its end."""
        process = self._start(giver)
        self._feed(giver, process, None)
        try:
            with _open(taker.stdin) as stdin:
                shutil.copyfileobj(_open(process.stdout), stdin, 1 << 20)
        except BrokenPipeError:
            # Its own end says why.
            process.kill()
        said = _open(taker.stderr).read().decode(errors="replace").strip()
        if taker.wait():
            raise ToolFailed(said[-3000:], taker.returncode)
        wrong = _open(process.stderr).read().decode(errors="replace").strip()
        if process.wait():
            raise ToolFailed(f"`{giver.shown}` failed: {wrong[-3000:]}", process.returncode)

    def remove_leftovers(self) -> None:
        """Ends what a killed run left running."""
        engine.remove_containers(f"{LABEL}={self.project}")

    def _start(self, tool: Tool) -> subprocess.Popen[bytes]:
        command = [*tool.command]
        if tool.service == "postgres":
            command.insert(0, "mindgraph-with-settings")
        arguments = [
            *("docker", "run", "--rm", "--interactive", "--init", f"--network={self._network()}"),
            *("--read-only", "--tmpfs=/tmp", "--shm-size=256m", "--pids-limit=256"),
            *("--cap-drop=ALL", "--security-opt=no-new-privileges:true"),
            *(f"--cap-add={name}" for name in tool.capabilities),
            *(["--user=0:0"] if tool.capabilities else []),
            f"--label={LABEL}={self.project}",
            *(mount.argument for mount in tool.mounts),
            *(f"--entrypoint={command[0]}", self.image(tool.service), *command[1:]),
        ]
        pipe = subprocess.PIPE
        return subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe)

    def _network(self) -> str:
        """A repository in a volume needs none; to a server of S3 leads the database's way."""
        if not self.settings.get("BACKUP_S3_BUCKET"):
            return "none"
        found = self.config.get("networks", {}).get(ARCHIVE)
        if not found:
            raise HostError(
                f"BACKUP_S3_BUCKET is set, but the database has no way out; add {OVERLAY} to "
                f"COMPOSE_FILE in {self.stack.env_file}, then: make up-prod"
            )
        name = str(found["name"])
        engine.ensure_network(name, self.project, ARCHIVE)
        return name

    def _authority(self) -> str:
        """That the server of S3 is believed by, in base64."""
        file = self.settings.get("BACKUP_S3_CA")
        if not file:
            return ""
        try:
            return base64.b64encode((self.stack.folder / file).read_bytes()).decode()
        except OSError as error:
            raise HostError(f"BACKUP_S3_CA names {file}, which can't be read: {error}") from error

    def _feed(self, tool: Tool, process: subprocess.Popen[bytes], source: IO[bytes] | None) -> None:
        stdin = _open(process.stdin)
        try:
            if tool.service == "postgres":
                authority = {"BACKUP_S3_AUTHORITY": self._authority()}
                stdin.write(_header(self.settings, {**authority, **tool.settings}))
            if source:
                shutil.copyfileobj(source, stdin, 1 << 20)
            stdin.close()
        except BrokenPipeError:
            # It ended before it had read all; its own end says why.
            return


def _header(settings: Mapping[str, str], more: Mapping[str, str]) -> bytes:
    given = {name: value for name, value in settings.items() if name.startswith("BACKUP_")}
    lines = [f"{name}={value}\n" for name, value in {**given, **more}.items()]
    return ("".join(lines) + "\n").encode()


def _both(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """All of stdout and stderr, which are read at the same time."""
    said: list[bytes] = []
    listener = threading.Thread(
        target=lambda: said.append(_open(process.stderr).read()), daemon=True
    )
    listener.start()
    out = _open(process.stdout).read()
    listener.join()
    return out.decode(errors="replace"), b"".join(said).decode(errors="replace")


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream
    return stream
