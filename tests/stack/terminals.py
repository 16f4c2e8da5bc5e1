"""Where a guide is followed: the shell of a machine, and somebody in front of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from .guides import Block, Reader
from .machines import Machine
from .stacks import env_format


class Terminal:
    """Root's. `checkout` is where to be from the moment that it exists."""

    def __init__(self, machine: Machine, checkout: str, project: str) -> None:
        """`project` is what the stack made from there is named after."""
        self.machine = machine
        self.checkout = checkout
        self.environ = {
            "CI": "true",
            "COMPOSE_PROJECT_NAME": project,
            "DEBIAN_FRONTEND": "noninteractive",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, text: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        there = f"[ ! -d {self.checkout} ] || cd {self.checkout}\n"
        return subprocess.run(
            [
                *("docker", "exec", "--interactive", "--workdir=/root"),
                *(f"--env={name}={value}" for name, value in self.environ.items()),
                str(self.machine.container.id),
                *("bash", "-euo", "pipefail", "-c", there + text),
            ],
            capture_output=True,
            check=False,
            encoding="utf-8",
            input=stdin,
        )


class Visitor(Reader):
    """`words` are what the guide has for something of one's own, with what it is here."""

    def __init__(self, document: Path, terminal: Terminal, words: Mapping[str, str]) -> None:
        super().__init__(document, Path(terminal.checkout), {}, {})
        self.terminal = terminal
        self.words = dict(words)

    def run(self, text: str, stdin: str) -> subprocess.CompletedProcess[str]:
        return self.terminal.run(self.here(text), stdin)

    def here(self, text: str) -> str:
        for word, meant in self.words.items():
            text = text.replace(word, meant)
        return text

    def see(self, block: Block, stdin: str = "") -> str:
        """Does it, which must go well; what it said."""
        done = self.do(block, stdin)
        told = "" if done.returncode == 0 else self.terminal.machine.told()
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}\n{told}"
        return done.stdout + done.stderr

    def settle(self, heading: str, **more: str) -> None:
        """Writes into .env what the guide says under a heading, and what this machine needs."""
        [block] = self.settings(heading)
        file = self.checkout / ".env"
        wanted = {**env_format.parse(self.here(block.text), {}), **more}
        kept = [
            line
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.split("=")[0] not in wanted
        ]
        new = [f"{name}={env_format.quote(value)}" for name, value in wanted.items()]
        file.write_text("\n".join([*kept, *new, ""]), encoding="utf-8")
