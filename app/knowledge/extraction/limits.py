from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the extraction of one file may take."""

    # By the clock, and of the processor.
    seconds: int = 120
    # On top of what the libraries take themselves.
    memory_mb: int = 1024
    # A slide and a sheet count as a page.
    pages: int = 2_000
    # Of the text that comes out.
    characters: int = 5_000_000
    # Of all parts of a packed file together.
    unpacked_mb: int = 500
