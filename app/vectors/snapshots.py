"""Snapshots of a collection, which Qdrant makes and keeps: a file each, over its HTTP API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import quote

import httpx

from app.errors import NotFound, Unavailable
from app.settings import Settings

# Of a large collection it takes minutes, in which Qdrant says nothing.
PATIENCE_S = 1800.0


class SnapshotNotFound(NotFound):
    """Qdrant has no such collection or snapshot."""


class SnapshotRefused(Unavailable):
    """Qdrant makes no snapshot."""


@dataclass(frozen=True)
class Snapshot:
    """`size` is in bytes, `checksum` SHA-256 in hexadecimal; a server may not tell it."""

    collection: str
    name: str
    size: int
    checksum: str | None


def list_(settings: Settings, collection: str) -> list[str]:
    """The names of all that there are. Raises SnapshotNotFound, SnapshotRefused."""
    with _asking(settings) as http:
        return [one["name"] for one in _result(http.get(_path(collection)))]


def make(settings: Settings, collection: str) -> Snapshot:
    """Of all that was written before. Raises SnapshotNotFound, SnapshotRefused."""
    with _asking(settings) as http:
        made = _result(http.post(_path(collection), params={"wait": "true"}))
    return Snapshot(collection, made["name"], made["size"], made.get("checksum"))


def read(settings: Settings, collection: str, name: str) -> Iterator[bytes]:
    """Raises SnapshotNotFound, SnapshotRefused."""
    with _asking(settings) as http, http.stream("GET", _path(collection, name)) as answer:
        if answer.is_error:
            answer.read()
            _result(answer)
        yield from answer.iter_bytes()


def load(settings: Settings, collection: str, source: IO[bytes]) -> None:
    """Makes the collection of a snapshot, also in place of one. `source` must have a known end.

    Raises:
        SnapshotRefused.
    """
    with _asking(settings) as http:
        options = {"wait": "true", "priority": "snapshot"}
        files = {"snapshot": ("restored.snapshot", source, "application/octet-stream")}
        _result(http.post(_path(collection, "upload"), params=options, files=files))


def delete(settings: Settings, collection: str, name: str) -> None:
    """Also where it is gone already. Raises SnapshotRefused."""
    with _asking(settings) as http:
        answer = http.delete(_path(collection, name), params={"wait": "true"})
        if answer.status_code != HTTPStatus.NOT_FOUND:
            _result(answer)


@contextmanager
def _asking(settings: Settings) -> Iterator[httpx.Client]:
    if settings.qdrant_url is None:
        raise SnapshotRefused("the embedded Qdrant makes no snapshots; set QDRANT_URL to a server")
    key = settings.qdrant_api_key
    headers = {"api-key": key.get_secret_value()} if key else {}
    timeout = httpx.Timeout(PATIENCE_S, connect=settings.qdrant_timeout_s)
    try:
        # A proxy of the environment is for the outside; Qdrant is a neighbour.
        with httpx.Client(
            base_url=settings.qdrant_url, headers=headers, timeout=timeout, trust_env=False
        ) as http:
            yield http
    except httpx.HTTPError as error:
        raise SnapshotRefused(f"Qdrant doesn't answer: {error!r}") from error


def _path(collection: str, *rest: str) -> str:
    parts = ("collections", collection, "snapshots", *rest)
    return "/".join(quote(part, safe="") for part in parts)


def _result(answer: httpx.Response) -> Any:
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise SnapshotNotFound(f"Qdrant: {_reason(answer)}")
    if answer.is_error:
        raise SnapshotRefused(f"Qdrant refuses with {answer.status_code}: {_reason(answer)}")
    return answer.json()["result"]


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["status"]["error"])
    except (KeyError, TypeError, ValueError):
        return answer.text.strip()[:200]
