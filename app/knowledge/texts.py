"""What is read from a file: its text in blocks, each with where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

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


@dataclass(frozen=True)
class ChunkText:
    """A part of a document that is found by itself.

    Between two that follow each other is nothing but white space.
    """

    # From 0.
    ordinal: int
    # In the document's text: `content == text[start:end]`, in characters.
    start: int
    end: int
    content: str
    # Where it begins.
    page: int | None
    # Above it, the nearest last. A heading at its own beginning is in its content.
    headings: tuple[str, ...]
    tokens: int


class Embeddable(Protocol):
    """What the text that is embedded is made of: a chunk, as it was made or as it is stored."""

    @property
    def headings(self) -> Sequence[str]: ...

    @property
    def content(self) -> str: ...

    @property
    def tokens(self) -> int: ...
