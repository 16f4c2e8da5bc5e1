"""The outline (bookmarks) of a PDF."""

import itertools
from dataclasses import dataclass

import pypdfium2

MOST_ENTRIES = 10_000
DEEPEST = 6


@dataclass(frozen=True)
class Entry:
    title: str
    # 1 is the highest.
    level: int
    # From 0.
    page: int


def read(document: pypdfium2.PdfDocument) -> list[Entry]:
    """Its entries that lead to a page, in their order."""
    found = []
    for bookmark in itertools.islice(document.get_toc(max_depth=DEEPEST), MOST_ENTRIES):
        target = bookmark.get_dest()
        page = target.get_index() if target is not None else None
        title = bookmark.get_title().strip()
        if page is not None and title:
            found.append(Entry(title, bookmark.level + 1, page))
    return found
