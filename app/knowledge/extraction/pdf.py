"""Text of PDF, page by page in the order in which PDFium reads it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from app.knowledge.errors import (
    FileDamaged,
    FileEncrypted,
    FileHasTooManyPages,
    FileHasTooMuchText,
)
from app.knowledge.extraction import layout, outlines
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.layout import Line
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block


def read(path: Path, limits: Limits, facts: Facts) -> Iterator[Block]:
    document = _open(path)
    facts.pages = len(document)
    if facts.pages > limits.pages:
        raise FileHasTooManyPages(
            f"The file has {facts.pages:,} pages, of which {limits.pages:,} can be read; split it, "
            "and upload the parts."
        )
    facts.title = _title(document)
    pages: list[list[Line]] = []
    room = limits.characters
    broken = 0
    for at in range(facts.pages):
        try:
            lines = _lines(document, at)
        except pypdfium2.PdfiumError:
            # Of a damaged file, what can be read.
            lines = []
            broken += 1
        room -= sum(len(line.text) for line in lines)
        if room < 0:
            raise FileHasTooMuchText
        pages.append(lines)
    if broken == facts.pages:
        raise FileDamaged
    yield from layout.blocks(pages, outlines.read(document))


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        code = pdfium.FPDF_GetLastError()
        if code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY} or "assword" in str(error):
            raise FileEncrypted from error
        raise FileDamaged from error
    if not len(document):
        raise FileDamaged
    return document


def _title(document: pypdfium2.PdfDocument) -> str | None:
    title: str = document.get_metadata_value("Title")
    return title.strip() or None


def _lines(document: pypdfium2.PdfDocument, at: int) -> list[Line]:
    with contextlib.closing(document[at]) as page, contextlib.closing(page.get_textpage()) as text:
        return list(_lines_of(text))


def _lines_of(text_page: pypdfium2.PdfTextPage) -> Iterator[Line]:
    """The lines of a page, each with where it stands and how large it is."""
    start = 0
    text: str = text_page.get_text_range()
    for raw in text.split("\n"):
        stripped = raw.strip()
        if stripped:
            first = start + len(raw) - len(raw.lstrip())
            last = start + len(raw.rstrip()) - 1
            yield _line(text_page, stripped, first, last)
        start += len(raw) + 1


def _line(text_page: pypdfium2.PdfTextPage, text: str, first: int, last: int) -> Line:
    try:
        left, bottom, _, top = text_page.get_charbox(first, loose=True)
        _, _, right, _ = text_page.get_charbox(last, loose=True)
    except pypdfium2.PdfiumError:
        left = bottom = right = top = 0.0
    return Line(text, left, bottom, right, top, pdfium.FPDFText_GetFontSize(text_page, first))
