"""Text of DOCX in its order."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.document import Document
from lxml import etree

from app.knowledge.extraction import markup
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.limits import Limits
from app.knowledge.extraction.styles import Styles
from app.knowledge.texts import Block

# They only wrap what matters: content controls, insertions, links, smart tags.
WRAPPERS = frozenset(
    {"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag", "AlternateContent", "Choice"}
)
# Deleted text, instructions of fields, the second version of a drawing for old programs.
SKIPPED = frozenset({"del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr", "rt"})
BREAKS = frozenset({"br", "cr"})
CELLS = " | "
INDENT = "  "
DEEPEST_INDENT = 8
NOTES = re.compile(r"/(?:footnotes|endnotes)$")
# A list that is longer comes in several blocks.
MOST_ITEMS = 200
MOST_ROWS = 200


def read(path: Path, _limits: Limits, facts: Facts) -> Iterator[Block]:
    document = docx.Document(str(path))
    facts.title = document.core_properties.title or None
    styles = Styles(document.styles.element)
    body = markup.child(document.element, "body")
    if body is None:
        return
    for block in _blocks(body, styles):
        if facts.title is None and block.kind == "heading" and block.level == 1:
            facts.title = block.text
        yield block
    yield from _notes(document, styles)


def _blocks(container: Any, styles: Styles) -> Iterator[Block]:
    items: list[str] = []
    for kind, element in _parts(container):
        if kind == "p":
            text = _text(element).strip()
            level = styles.heading_level(element)
            depth = styles.list_depth(element)
            if text and not level and depth is not None:
                items.append(f"{INDENT * min(depth, DEEPEST_INDENT)}- {' '.join(text.split())}")
            if items and (not text or level or depth is None or len(items) >= MOST_ITEMS):
                yield Block("\n".join(items), "list")
                items = []
            if text and (level or depth is None):
                yield Block(text, "heading" if level else "paragraph", level)
            continue
        if items:
            yield Block("\n".join(items), "list")
            items = []
        yield from _table(element)
    if items:
        yield Block("\n".join(items), "list")


def _parts(container: Any) -> Iterator[tuple[str, Any]]:
    """Its paragraphs and tables. Of a table with a single column, what is in its cells: it is a
    frame."""
    stack = list(reversed(container))
    while stack:
        one = stack.pop()
        tag = markup.name(one)
        if tag == "p":
            yield tag, one
        elif tag == "tbl":
            rows = [_cells(row) for row in markup.children(one, "tr", through=WRAPPERS)]
            if all(len(cells) <= 1 for cells in rows):
                stack += reversed([inner for cells in rows for cell in cells for inner in cell])
            else:
                yield tag, rows
        elif tag in WRAPPERS:
            stack += reversed(one)


def _cells(row: Any) -> list[Any]:
    return list(markup.children(row, "tc", through=WRAPPERS))


def _table(rows: list[list[Any]]) -> Iterator[Block]:
    lines: list[str] = []
    for cells in rows:
        line = CELLS.join(" ".join(_text(cell).split()) for cell in cells).rstrip(" |")
        if line:
            lines.append(line)
        if len(lines) >= MOST_ROWS:
            yield Block("\n".join(lines), "table")
            lines = []
    if lines:
        yield Block("\n".join(lines), "table")


def _text(element: Any) -> str:
    """Of a paragraph or cell, with the text boxes in it."""
    parts: list[str] = []
    for tag, one in markup.walk(element, SKIPPED.__contains__):
        if tag in {"t", "delText"}:
            parts.append(one.text or "")
        elif tag == "tab":
            parts.append("\t")
        elif tag == "noBreakHyphen":
            parts.append("-")
        elif tag in BREAKS or tag in {"/p", "/txbxContent"}:
            parts.append("\n")
    return "".join(parts)


def _notes(document: Document, styles: Styles) -> Iterator[Block]:
    """Footnotes and endnotes, at the end."""
    for relation in document.part.rels.values():
        if relation.is_external or not NOTES.search(relation.reltype):
            continue
        root = etree.fromstring(relation.target_part.blob, markup.SAFE)
        for note in root:
            yield from _blocks(note, styles)
