"""Reads a file with the extractor of its media type."""

import importlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol, cast

from app.knowledge import errors
from app.knowledge.errors import FileRefused
from app.knowledge.extraction import clean, confinement, kinds, wire
from app.knowledge.extraction import media_types as types
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block

# Imported by name when the type is known: their libraries take half a second and 100 MB together,
# and what isn't loaded can't be attacked.
MODULES = {
    types.PDF: "pdf",
    types.DOCX: "word",
    types.PPTX: "slides",
    types.XLSX: "sheets",
    types.HTML: "html",
    types.MARKDOWN: "markdown",
    types.PLAIN: "plain",
}
# After memory ran out.
TO_SAY_SO_MB = 64
NO_TEXT_IN_PDF = (
    "There is no text in this PDF, only pictures, as in a scan: recognize its text with another "
    "program (OCR) first, and upload the result."
)


class Extractor(Protocol):
    def read(self, path: Path, limits: Limits, facts: Facts) -> Iterator[Block]:
        """The blocks of a file in their order, not yet cleaned.

        Raises:
            FileRefused: if it knows why the file can't be read. Anything else means damage.
        """


def run(order: wire.Order, output: IO[bytes]) -> None:
    """Writes the blocks and the end, or the refusal."""
    try:
        media_type = kinds.detect(Path(order.path), order.name, order.limits.unpacked_mb)
        facts = Facts()
        for block in _blocks(order, media_type, facts):
            output.write(wire.encode_block(block))
        title = clean.line(facts.title or "") or None
        output.write(wire.encode_done(media_type, title, facts.pages))
    except FileRefused as refusal:
        output.write(wire.encode_refusal(refusal))
    except MemoryError:
        confinement.limit_memory(TO_SAY_SO_MB)
        output.write(wire.encode_refusal(errors.FileTakesTooMuchMemory()))
    except Exception:
        # What the libraries raise for damaged files has no common class; the log tells it from a
        # mistake of ours.
        traceback.print_exc()
        output.write(wire.encode_refusal(_refusal()))


def _blocks(order: wire.Order, media_type: str, facts: Facts) -> Iterator[Block]:
    module = importlib.import_module(f"{__package__}.{MODULES[media_type]}")
    confinement.limit_memory(order.limits.memory_mb)
    extractor = cast(Extractor, module)
    count = length = 0
    empty = True
    for raw in extractor.read(Path(order.path), order.limits, facts):
        for block in clean.blocks(raw):
            count += 1
            length += len(block.text)
            order.limits.check_blocks(count)
            order.limits.check_characters(length)
            empty = empty and not any(map(str.isalnum, block.text))
            yield block
    if empty:
        raise errors.FileHasNoText(NO_TEXT_IN_PDF if media_type == types.PDF else None)


def _refusal() -> FileRefused:
    # libxml2 reports a lack of memory as if the file were wrong.
    if confinement.is_memory_exhausted():
        return errors.FileTakesTooMuchMemory()
    return errors.FileDamaged()
