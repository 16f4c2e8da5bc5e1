"""Pieces of bytes as the file that psycopg2's copy_expert reads."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from psycopg2.extensions import cursor as Cursor  # noqa: N812

# What is handed over at once; small values of it cost a call of Python for each.
SIZE = 1 << 18


def copy(cursor: Cursor, statement: str, pieces: Iterable[bytes]) -> None:
    """Runs COPY ... FROM STDIN. Raises what the server says, or what making a piece raises."""
    file = _Pieces(pieces)
    try:
        # What it reads needs no lines, whatever the type says.
        cursor.copy_expert(statement, cast(Any, file), SIZE)
    except Exception:
        if file.error:
            # The driver tells only that reading failed.
            raise file.error from None
        raise


class Gathered:
    """A file to write to, for COPY ... TO STDOUT of something small."""

    def __init__(self) -> None:
        self.raw = b""

    def write(self, raw: bytes) -> int:
        self.raw += bytes(raw)
        return len(raw)


class _Pieces:
    """A file to read. A large piece is handed over in parts, without a copy of the whole."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._parts = _parts(pieces)
        self.error: Exception | None = None

    def read(self, _size: int = SIZE) -> bytes:
        # What is given may be shorter than what is asked for, only not empty before the end.
        try:
            return next(self._parts, b"")
        except Exception as error:
            self.error = error
            raise


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        if length + len(piece) > SIZE and waiting:
            yield b"".join(waiting)
            waiting, length = [], 0
        if len(piece) > SIZE:
            view = memoryview(piece)
            for at in range(0, len(piece), SIZE):
                yield bytes(view[at : at + SIZE])
        elif piece:
            waiting.append(piece)
            length += len(piece)
    if waiting:
        yield b"".join(waiting)
