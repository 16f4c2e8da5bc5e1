"""What the process that extracts is told, and what it sends back: a line of JSON for each block,
and a last one that says how it ended."""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, get_args

from app.knowledge import errors
from app.knowledge.errors import FileRefused
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block, Extracted, Kind

KINDS = frozenset(get_args(Kind))
REFUSALS: dict[str, type[FileRefused]] = {
    kind.__name__: kind
    for kind in (
        errors.FileDamaged,
        errors.FileEmpty,
        errors.FileEncrypted,
        errors.FileHasEntities,
        errors.FileHasMacros,
        errors.FileHasNoText,
        errors.FileHasTooManyPages,
        errors.FileHasTooMuchText,
        errors.FileTakesTooLong,
        errors.FileTakesTooMuchMemory,
        errors.FileUnpacksTooLarge,
        errors.FileUnsupported,
    )
}
# A character takes 4 bytes at most, and a block's frame less than 100.
BYTES_OF_CHARACTER = 4
BYTES_OF_BLOCK = 100
LONGEST_DETAIL = 1_000
ROOM = 65_536


class Garbled(Exception):
    """This is nothing that an extraction sends."""


@dataclass(frozen=True)
class Order:
    path: str
    name: str
    # The process without which nobody waits for the result.
    parent: int
    limits: Limits


def encode_order(order: Order) -> str:
    # A path of another encoding has lone surrogates, which JSON writes as \udcff.
    return json.dumps(asdict(order))


def decode_order(text: str) -> Order:
    values = json.loads(text)
    return Order(**{**values, "limits": Limits(**values["limits"])})


def most_bytes(limits: Limits) -> int:
    """What a text within the limits takes at most."""
    return BYTES_OF_CHARACTER * limits.characters + BYTES_OF_BLOCK * limits.blocks + ROOM


def encode_block(block: Block) -> bytes:
    return _line({"block": [block.text, block.kind, block.level, block.page]})


def encode_done(media_type: str, title: str | None, pages: int | None) -> bytes:
    return _line({"done": [media_type, title, pages]})


def encode_refusal(refusal: FileRefused) -> bytes:
    return _line({"refused": [refusal.code, refusal.detail]})


def decode(output: bytes) -> Extracted | None:
    """What was extracted; None if the last line isn't there.

    Raises:
        FileRefused: what was sent instead.
        Garbled: this comes from no extraction.
    """
    blocks: list[Block] = []
    for line in _lines(output):
        match line:
            case {"block": [str(text), str(kind), int(level), int() | None as page]}:
                if kind not in KINDS:
                    raise Garbled
                blocks.append(Block(text, kind, level, page))  # type: ignore[arg-type]
            case {"done": [str(media_type), str() | None as title, int() | None as pages]}:
                return Extracted(tuple(blocks), media_type, title, pages)
            case {"refused": [str(code), str(detail)]} if code in REFUSALS:
                raise REFUSALS[code](detail[:LONGEST_DETAIL])
            case _:
                raise Garbled
    return None


def _lines(output: bytes) -> Iterator[Any]:
    try:
        # One after the other: all of them at once would take as much memory again.
        for line in io.BytesIO(output):
            if line.endswith(b"\n"):
                yield json.loads(line)
    except ValueError as error:
        raise Garbled from error


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
