"""Text of PPTX: a slide is a page, its title a heading."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pptx
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.shapes.base import BaseShape
from pptx.shapes.group import GroupShape
from pptx.slide import Slide

from app.knowledge.errors import FileHasTooManyPages
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block

CELLS = " | "
INDENT = "  "
# What is on every slide.
REPEATED = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER}


def read(path: Path, limits: Limits, facts: Facts) -> Iterator[Block]:
    presentation = pptx.Presentation(str(path))
    facts.title = presentation.core_properties.title or None
    facts.pages = len(presentation.slides)
    if facts.pages > limits.pages:
        raise FileHasTooManyPages(
            f"The file has {facts.pages:,} slides, of which {limits.pages:,} can be read; split "
            "it, and upload the parts."
        )
    for page, slide in enumerate(presentation.slides, 1):
        for block in _slide(slide, page):
            if facts.title is None and block.kind == "heading":
                facts.title = block.text
            yield block


def _slide(slide: Slide, page: int) -> Iterator[Block]:
    title = slide.shapes.title
    if title is not None and (text := " ".join(title.text_frame.text.split())):
        yield Block(text, "heading", 1, page)
    for shape in _shapes(slide):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        yield from _shape(shape, page)
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
        yield from _paragraphs(notes, page)


def _shapes(slide: Slide) -> Iterator[BaseShape]:
    """Those of groups in the place of the group."""
    stack = list(reversed(list(slide.shapes)))
    while stack:
        shape = stack.pop()
        if isinstance(shape, GroupShape):
            stack += reversed(list(shape.shapes))
        else:
            yield shape


def _shape(shape: Any, page: int) -> Iterator[Block]:
    if shape.is_placeholder and shape.placeholder_format.type in REPEATED:
        return
    if shape.has_text_frame:
        yield from _paragraphs(shape.text_frame, page)
    elif getattr(shape, "has_table", False):
        rows = (
            CELLS.join(" ".join(cell.text_frame.text.split()) for cell in row.cells).rstrip(" |")
            for row in shape.table.rows
        )
        yield Block("\n".join(filter(None, rows)), "table", page=page)


def _paragraphs(frame: Any, page: int) -> Iterator[Block]:
    """Several are a list, as most are on slides."""
    found = [
        f"{INDENT * paragraph.level}- {text}"
        for paragraph in frame.paragraphs
        if (text := " ".join(paragraph.text.split()))
    ]
    if len(found) == 1:
        yield Block(found[0].lstrip()[2:], page=page)
    elif found:
        yield Block("\n".join(found), "list", page=page)
