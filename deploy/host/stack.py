"""The stack of this checkout, as Compose sees it with its env file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Mapping, Optional, Sequence

import env_format

from host.errors import HostError, WrongUse

CHECKOUT = Path(__file__).resolve().parents[2]


class ComposeFailed(HostError):
    """Compose, or a command in a container, ended with an error."""


class Stack:
    """`folder` has the compose files. `env_file` says which of them and everything else; another
    env file, with another COMPOSE_PROJECT_NAME in it, is another stack."""

    def __init__(self, folder: Path, env_file: Path) -> None:
        if not env_file.exists():
            raise WrongUse(f"there is no {env_file} and so no stack yet; run: make up-prod")
        self.folder = folder
        self.env_file = env_file
        # Of who works on it; see locking.
        self.lock: Optional[int] = None

    @classmethod
    def here(cls) -> Stack:
        """This checkout's; MINDGRAPH_ENV_FILE names another env file than its own."""
        given = os.environ.get("MINDGRAPH_ENV_FILE")
        return cls(CHECKOUT, Path(given) if given else CHECKOUT / ".env")

    def settings(self) -> dict[str, str]:
        """What the env file says, read anew."""
        text = self.env_file.read_text(encoding="utf-8", errors="surrogateescape")
        try:
            return env_format.parse(text)
        except env_format.Malformed as error:
            raise WrongUse(f"{self.env_file} can't be read: {error}") from error

    @property
    def project(self) -> str:
        return self.settings()["COMPOSE_PROJECT_NAME"]

    def compose(
        self,
        *arguments: str,
        stdin: int | IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        keeps_lock: bool = False,
    ) -> str:
        """Runs `docker compose`, and gives what it said on stdout.

        Args:
            keeps_lock: when this process is killed, the next one waits for the end of this.

        Raises:
            ComposeFailed: it ended with an error.
        """
        done = subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            capture_output=True,
            check=False,
            pass_fds=(self.lock,) if keeps_lock and self.lock is not None else (),
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode:
            reason = (said + done.stderr.decode(errors="replace")).strip()
            shown = " ".join(arguments[:6])
            raise ComposeFailed(
                f"`docker compose {shown} ...` ended with {done.returncode}: {reason[-2000:]}"
            )
        return said

    def start(
        self,
        *arguments: str,
        stdin: int | IO[bytes] | None = None,
        stdout: int | IO[bytes] | None = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        """The same, running on: for streams from one container into another."""
        return subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=self._environment(None),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )

    def run_in(self, service: str, *command: str) -> str:
        """In the running container of a service. Raises ComposeFailed."""
        return self.compose("exec", "--no-TTY", service, *command)

    def pass_on(self, service: str, command: Sequence[str]) -> int:
        """As if it had been called in there: with this terminal, and with its exit code."""
        options = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--no-TTY"]
        return subprocess.run(
            self._command(["exec", *options, service, *command]),
            cwd=self.folder,
            env=self._environment(None),
            check=False,
        ).returncode

    def config(self, changes: Mapping[str, str] | None = None) -> dict[str, Any]:
        """All services, networks and volumes with their values; with `changes` to the env file."""
        said = self.compose("config", "--format", "json", environment=changes)
        found: dict[str, Any] = json.loads(said)
        return found

    def _command(self, arguments: Sequence[str]) -> list[str]:
        files = self.settings().get("COMPOSE_FILE", "compose.yaml").split(":")
        return [
            *("docker", "compose", "--progress", "plain", "--env-file", str(self.env_file)),
            *("--project-name", self.project),
            *(part for file in files for part in ("--file", file)),
            *arguments,
        ]

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        # What this process has would win over the env file.
        own = set(self.settings())
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in own and not name.startswith("COMPOSE_")
        }
        return {**kept, **(more or {})}
