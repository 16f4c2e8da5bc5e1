"""Files of old documents in a folder that somebody has copied."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

# Of a path, how much of its end tells one document's file from all others': `USER/NUMBER_NAME`.
LEAST_PARTS = 2
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


class Unreadable(Exception):
    """There is such a file, but it can't be read; the message says why."""


def find(folder: Path, written: str) -> Path | None:
    """The file that a document had, by its whole path or the longest end of it that is there.

    Nothing outside of the folder is ever found, whatever the path says.

    Raises:
        Unreadable.
    """
    root = folder.resolve()
    try:
        for candidate in _candidates(written):
            found = (root / candidate).resolve()
            if found.is_relative_to(root) and found.is_file():
                return _readable(found)
    except (OSError, ValueError, RuntimeError) as error:
        # A name that is too long, a folder that is closed, links in a circle.
        raise Unreadable(getattr(error, "strerror", None) or "its path can't be used") from error
    return None


def _readable(path: Path) -> Path | None:
    with path.open("rb") as file:
        return path if file.read(1) else None


def _candidates(written: str) -> Iterator[str]:
    path = PurePosixPath(written.replace("\\", "/"))
    parts = [one for one in path.parts if one not in {"/", "//", ".", ".."}]
    for at in range(len(parts) - LEAST_PARTS + 1):
        name = "/".join(parts[at:])
        # Names that have been on a Mac have their accents apart.
        yield from dict.fromkeys((name, *(unicodedata.normalize(one, name) for one in FORMS)))
