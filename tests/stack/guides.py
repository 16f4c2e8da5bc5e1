"""Follows a document: its blocks of commands, word for word and in their order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli import processes
from tests.places import CHECKOUT

BLOCK = re.compile(
    r"^#+ (?P<title>[^\n]+)$"
    r"|(?:^<!-- not tested here: (?P<reason>[^\n]+) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# A block of one line that says where something is, for the blocks after it.
ASSIGNMENT = re.compile(r"([A-Z]+)=.*\n")
COMMANDS = {"bash", "console", "powershell", "sh", "sql"}


@dataclass(frozen=True)
class Block:
    heading: str
    text: str
    language: str = "sh"
    # Why nobody can run it here, as a comment right before it says.
    reason: str = ""

    @property
    def assigns(self) -> str | None:
        found = ASSIGNMENT.fullmatch(self.text)
        return found[1] if found and self.is_command else None

    @property
    def is_command(self) -> bool:
        return self.language in COMMANDS

    @property
    def is_run(self) -> bool:
        return self.is_command and not self.assigns and not self.reason


def document(name: str) -> Path:
    return CHECKOUT / "docs" / f"{name}.md"


def blocks(document: Path) -> list[Block]:
    heading, found = "", []
    for match in BLOCK.finditer(document.read_text(encoding="utf-8")):
        heading = match["title"] or heading
        if match["text"]:
            reason = match["reason"] or ""
            found.append(Block(heading, match["text"], match["language"], reason))
    return found


@contextmanager
def served(reader: Reader, block: Block, log: Path) -> Iterator[str]:
    """Where the service is that a block of the document starts, on a port of its own."""
    reader.done.append(block)
    environ = {**reader.environ, "APP_PORT": "0"}
    program = ("bash", "-c", block.text)
    with processes.running(environ=environ, log=log, program=program, cwd=reader.checkout) as made:
        yield made.url()
        # As Ctrl-C does in a terminal: not only to the shell.
        os.killpg(made.process.pid, signal.SIGINT)
        made.process.wait(processes.STOP_S)


class Reader:
    """Somebody who follows the document in a checkout, with `places` for what it assigns."""

    def __init__(
        self, document: Path, checkout: Path, places: Mapping[str, str], environ: dict[str, str]
    ) -> None:
        self.checkout = checkout
        self.environ = {**environ, **places}
        self.done: list[Block] = []
        self._blocks = blocks(document)
        assigned = {block.assigns for block in self._blocks if block.assigns}
        assert set(places) <= assigned, f"the document asks for {assigned}"

    def of(self, heading: str) -> list[Block]:
        """The blocks of commands under a heading."""
        found = [block for block in self._blocks if block.heading == heading and block.is_run]
        assert found, f"nothing to do under {heading!r}"
        return found

    def settings(self, heading: str) -> list[Block]:
        """The blocks under it that are what a file shall contain."""
        return [one for one in self._blocks if one.heading == heading and one.language == "ini"]

    def left(self) -> list[str]:
        """The blocks of commands that were not run."""
        return [one.text for one in self._blocks if one.is_run and one not in self.done]

    def follow(self, heading: str, *codes: int) -> str:
        """Does what stands under a heading; what it said. Each block ends with the code in its
        place, 0 where there is none."""
        said = []
        for at, block in enumerate(self.of(heading)):
            done = self.do(block)
            said.append(done.stdout + done.stderr)
            expected = codes[at] if at < len(codes) else 0
            assert done.returncode == expected, f"{block.text}\n{done.returncode}\n{said[-1]}"
        return "\n".join(said)

    def do(self, block: Block, stdin: str = "") -> subprocess.CompletedProcess[str]:
        self.done.append(block)
        return self.run(block.text, stdin)

    def run(self, text: str, stdin: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            capture_output=True,
            check=False,
            cwd=self.checkout,
            encoding="utf-8",
            env=self.environ,
            input=stdin,
        )
