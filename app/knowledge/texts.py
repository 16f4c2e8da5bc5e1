"""What is read from a file: its text in blocks, each with where it stands."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "paragraph", "list", "table", "code"]


@dataclass(frozen=True)
class Block:
    """A piece of text that belongs together. Its text has no blank at either end."""

    text: str
    kind: Kind = "paragraph"
    # Of a heading: 1 is the highest.
    level: int = 0
    # From 1; None where the format has no pages. A slide and a sheet count as a page.
    page: int | None = None


@dataclass(frozen=True)
class Extracted:
    """A file's text. `text` of the document is the blocks' texts with an empty line between."""

    blocks: tuple[Block, ...]
    media_type: str
    title: str | None = None
    pages: int | None = None
