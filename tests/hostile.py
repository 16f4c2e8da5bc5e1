"""Files that people upload by mistake or by malice, and what becomes of each."""

import random
from collections.abc import Callable
from pathlib import Path

from app.knowledge.extraction.limits import Limits
from tests import hostile_office, hostile_pdfs

# With them the files do what is expected. Seconds are many, because machines may be busy.
LIMITS = Limits(seconds=60, memory_mb=512, pages=1_000, characters=1_000_000, unpacked_mb=100)

MB = 1024 * 1024
NESTED = 100_000
# Each end tag that fits no other costs a look at all that are open.
SPINNING = 500_000

# The files with how each is made, and the name of its error; None for those that can be read.
Made = tuple[Callable[[], bytes], str | None]


def make(folder: Path) -> dict[str, Path]:
    """Writes all of them; returns each with its name."""
    made = {}
    for name, (content, _) in FILES.items():
        made[name] = folder / name
        made[name].write_bytes(content())
    return made


def _random() -> bytes:
    return random.Random(5).randbytes(20_000)


def _many_bytes_in_a_line() -> bytes:
    return b"word " * (10 * MB)


def _deep() -> bytes:
    return b"<!doctype html><title>Deep</title>" + b"<div>" * NESTED + b"text" + b"</div>" * NESTED


def _spinning() -> bytes:
    return b"<!doctype html>" + b"<b>" * SPINNING + b"text" + b"</i>" * SPINNING


def _laughing() -> bytes:
    document = b"<html><body><p>ha &l9; ha</p></body></html>"
    return b"<?xml version='1.0'?>" + hostile_office.LAUGHS + document


def _reading_others() -> bytes:
    return (
        b"<?xml version='1.0'?>"
        + hostile_office.EXTERNAL
        + b"<html><body><p>this: &file; &remote;</p></body></html>"
    )


def _surrogates() -> bytes:
    return "half \ud800 and \udfff there".encode("utf-8", "surrogatepass")


TEXTS: dict[str, Made] = {
    "empty.txt": (lambda: b"", "FileEmpty"),
    "blanks.txt": (lambda: b" \r\n\t " * 100, "FileEmpty"),
    "many-blanks.md": (lambda: b" \n" * 200_000, "FileHasNoText"),
    "program.pdf": (lambda: b"MZ\x90\0\3\0\0\0" + bytes(200) + _random(), "FileUnsupported"),
    "elf.html": (lambda: b"\x7fELF\2\1\1" + bytes(200) + _random(), "FileUnsupported"),
    "picture.txt": (lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + _random(), "FileUnsupported"),
    "random.txt": (_random, "FileUnsupported"),
    "zeros.md": (lambda: bytes(MB), "FileUnsupported"),
    "rich.txt": (lambda: rb"{\rtf1\ansi {\b Text} }", "FileUnsupported"),
    "deep.html": (_deep, None),
    "open.html": (lambda: b"<div>" * NESTED + b"text", None),
    "quotes.md": (lambda: b">" * NESTED + b" text", "FileHasNoText"),
    "brackets.md": (lambda: b"[" * 20_000 + b"text", None),
    "line.txt": (_many_bytes_in_a_line, "FileHasTooMuchText"),
    "marks.txt": (lambda: ("e" + "\u0301" * 300_000).encode(), None),
    "laughs.xhtml": (_laughing, None),
    "reading-others.xhtml": (_reading_others, None),
    "surrogates.txt": (_surrogates, None),
    "unmarked-utf16.txt": (lambda: "no mark".encode("utf-16-le"), "FileUnsupported"),
    "script.html": (lambda: b"<script>alert('text')</script>", "FileHasNoText"),
}
# Nothing but time ends it: it takes as much as it may.
SPINNING_FILE = "spinning.html"
FILES: dict[str, Made] = {
    **TEXTS,
    **hostile_office.FILES,
    **hostile_pdfs.FILES,
    SPINNING_FILE: (_spinning, "FileTakesTooLong"),
}
EXPECTED: dict[str, str | None] = {name: error for name, (_, error) in FILES.items()}
