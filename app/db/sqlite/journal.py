"""Reads the headers of a write-ahead log, as https://www.sqlite.org/fileformat2.html says."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Magic number, version, size of a page, number of the round, its mark, checksum.
HEADER = struct.Struct(">IIII8s8s")
# Number of the page, size of the database where a transaction ends, mark of the round, checksum.
FRAME_HEADER = struct.Struct(">II8s8s")
MAGIC = {0x377F0682, 0x377F0683}
USUAL_PAGE = 4096


@dataclass(frozen=True)
class Journal:
    """What its headers tell, not yet whether the checksums are right.

    `pages` were written since it was last begun anew; `last_commit` is the number of the last one
    that ends a transaction, counted from 1. SQLite reads it up to there, or up to the first page
    with a wrong checksum.
    """

    pages: int
    last_commit: int


def read(path: Path) -> Journal:
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except FileNotFoundError:
        return Journal(0, 0)


def _read(file: BinaryIO, size: int) -> Journal:
    if size < HEADER.size:
        return Journal(0, 0)
    magic, _, page, _, mark, _ = HEADER.unpack(file.read(HEADER.size))
    if magic not in MAGIC:
        # SQLite leaves all of it out. How many pages that are can only be guessed.
        guess = size // (FRAME_HEADER.size + USUAL_PAGE)
        return Journal(guess, guess)
    pages = last_commit = 0
    for number in range(1, (size - HEADER.size) // (FRAME_HEADER.size + page) + 1):
        _, ends, marked, _ = FRAME_HEADER.unpack(file.read(FRAME_HEADER.size))
        file.seek(page, 1)
        # What an earlier, longer round left behind has another mark.
        if marked == mark:
            pages = number
            last_commit = number if ends else last_commit
    return Journal(pages, last_commit)
