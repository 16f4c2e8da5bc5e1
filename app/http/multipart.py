"""Reads a form with one file as it comes in: no part of the file is kept in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from app.errors import InvalidInput, InvalidPayload

FILE = "file"
LONGEST_FIELD = 10_000
MOST_FIELDS = 50
# What is written to the disk at a time.
PIECE = 256 * 1024


@dataclass
class Form:
    """The fields of a form; each may have been sent several times."""

    filename: str | None = None
    fields: dict[str, list[str]] = field(default_factory=dict)


async def receive(request: Request, write: Callable[[bytes], None]) -> Form:
    """Reads the whole body.

    Args:
        request: its body is a multipart form with a part named `file`.
        write: called in a thread with the parts of the file's content.

    Returns:
        The other fields. The filename is None when the form has no file.

    Raises:
        InvalidInput: the body is no such form, or ends in the middle.
    """
    reader = _Reader(_boundary(request))
    try:
        async for part in request.stream():
            reader.feed(part)
            if reader.waiting >= PIECE:
                await to_thread.run_sync(write, reader.take())
    except ClientDisconnect as error:
        raise InvalidInput("The body ends in the middle.") from error
    await to_thread.run_sync(write, reader.take())
    return reader.finish()


class _Reader:
    def __init__(self, boundary: bytes) -> None:
        self.form = Form()
        self.waiting = 0
        self._content: list[bytes] = []
        self._header = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value = bytearray()
        self._is_file = False
        self._ended = False
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_to_header,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": self._add,
            "on_part_end": self._end,
            "on_end": self._finish,
        }
        with _translated():
            self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def feed(self, part: bytes) -> None:
        with _translated():
            self._parser.write(part)

    def take(self) -> bytes:
        """What has come of the file and isn't written yet."""
        content = b"".join(self._content)
        self._content.clear()
        self.waiting = 0
        return content

    def finish(self) -> Form:
        if not self._ended:
            raise InvalidInput("The body ends in the middle of the form.")
        return self.form

    def _begin(self) -> None:
        self._headers = {}
        self._value.clear()

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._name == FILE and b"filename" in options
        if self._is_file:
            if self.form.filename is not None:
                raise InvalidInput("The form has more than one file.")
            self.form.filename = options[b"filename"].decode("utf-8", "replace")

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._content.append(data[start:end])
            self.waiting += end - start
            return
        self._value += data[start:end]
        if len(self._value) > LONGEST_FIELD:
            raise InvalidPayload((["body", self._name], f"must be {LONGEST_FIELD} bytes at most"))

    def _end(self) -> None:
        if self._is_file:
            return
        values = self.form.fields.setdefault(self._name, [])
        try:
            values.append(self._value.decode())
        except UnicodeDecodeError as error:
            raise InvalidPayload((["body", self._name], "is no UTF-8")) from error
        if sum(map(len, self.form.fields.values())) > MOST_FIELDS:
            raise InvalidInput("The form has too many fields.")

    def _finish(self) -> None:
        self._ended = True


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise InvalidInput("The body is no multipart form.") from error


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidInput("Send the file as a form: multipart/form-data with a part named `file`.")
    return boundary
