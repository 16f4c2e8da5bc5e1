"""Follows a document: its blocks of shell, word for word and in their order."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^#+ (?P<title>[^\n]+)$|^```sh\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# A block of one line that says where something is, for the blocks after it.
ASSIGNMENT = re.compile(r"([A-Z]+)=.*\n")


@dataclass(frozen=True)
class Block:
    heading: str
    text: str

    @property
    def assigns(self) -> str | None:
        found = ASSIGNMENT.fullmatch(self.text)
        return found[1] if found else None


def blocks(document: Path) -> list[Block]:
    heading, found = "", []
    for match in BLOCK.finditer(document.read_text(encoding="utf-8")):
        heading = match["title"] or heading
        if match["text"]:
            found.append(Block(heading, match["text"]))
    return found


class Reader:
    """Somebody who follows the document in a checkout, with `places` for what it assigns."""

    def __init__(
        self, document: Path, checkout: Path, places: Mapping[str, str], environ: dict[str, str]
    ) -> None:
        self.checkout = checkout
        self.environ = {**environ, **places}
        self._blocks = blocks(document)
        assigned = {block.assigns for block in self._blocks if block.assigns}
        assert set(places) <= assigned, f"the document asks for {assigned}"

    def of(self, heading: str) -> list[Block]:
        found = [block for block in self._blocks if block.heading == heading and not block.assigns]
        assert found, f"nothing to do under {heading!r}"
        return found

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

    def do(self, block: Block) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            capture_output=True,
            check=False,
            cwd=self.checkout,
            encoding="utf-8",
            env=self.environ,
        )
