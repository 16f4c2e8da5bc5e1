from dataclasses import dataclass


@dataclass
class Facts:
    """What an extractor finds out about the file as a whole while it reads the blocks."""

    title: str | None = None
    pages: int | None = None
