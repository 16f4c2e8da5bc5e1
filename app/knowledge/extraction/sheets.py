"""Text of XLSX: a sheet is a page, its name a heading."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl

from app.knowledge.errors import FileHasTooManyPages
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block

CELLS = " | "
# A table ends at an empty row, or when it gets so long.
LONGEST_TABLE = 4_000
# Others have more columns only because somebody painted them.
MOST_COLUMNS = 500
LONGEST_CELL = 10_000
MIDNIGHT = datetime.time()


def read(path: Path, limits: Limits, facts: Facts) -> Iterator[Block]:
    workbook = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    facts.title = workbook.properties.title or None
    sheets = workbook.worksheets
    facts.pages = len(sheets)
    if facts.pages > limits.pages:
        raise FileHasTooManyPages(
            f"The file has {facts.pages:,} sheets, of which {limits.pages:,} can be read; split "
            "it, and upload the parts."
        )
    for page, sheet in enumerate(sheets, 1):
        # What a sheet says of its size may be wrong, and rows would be filled up to it.
        sheet.reset_dimensions()
        yield from _sheet(sheet, page)


def _sheet(sheet: Any, page: int) -> Iterator[Block]:
    heading: Block | None = Block(sheet.title, "heading", 1, page)
    for table in _tables(sheet):
        # An empty sheet isn't worth a heading.
        if heading is not None:
            yield heading
            heading = None
        yield Block(table, "table", page=page)


def _tables(sheet: Any) -> Iterator[str]:
    rows: list[str] = []
    length = 0
    for cells in sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True):
        row = CELLS.join(map(_text, cells)).strip(" |")
        if rows and (not row or length + len(row) > LONGEST_TABLE):
            yield "\n".join(rows)
            rows, length = [], 0
        if row:
            rows.append(row)
            length += len(row)
    if rows:
        yield "\n".join(rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        if value.time() == MIDNIGHT:
            return value.date().isoformat()
        return value.isoformat(" ", "seconds")
    return " ".join(str(value)[:LONGEST_CELL].split())
