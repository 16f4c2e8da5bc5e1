"""Uploads whose connection ends too early."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from app.settings import Settings
from tests import commands
from tests.http.browsers import Browser, Service, listening
from tests.http.uploads import DOCUMENTS, names, upload

HEAD = b'--border\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


@pytest.fixture
def address(service: Service, settings: Settings) -> Iterator[str]:
    assert service
    with listening(settings) as url:
        yield url


def incoming(settings: Settings) -> list[str]:
    """Files that are being received."""
    return [one.name for one in (settings.files_dir / "incoming").glob("*")]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_upload_leaves_nothing_and_keeps_nobody_else_waiting(
    alice: Browser, address: str, settings: Settings, *, reset: bool
) -> None:
    place = urlsplit(address)
    cookies = "; ".join(f"{name}={alice.cookies[name]}" for name in alice.cookies)
    head = (
        f"POST {DOCUMENTS} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookies}\r\n"
        "Content-Type: multipart/form-data; boundary=border\r\nContent-Length: 10000000\r\n\r\n"
    ).encode()
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head + HEAD + b"x" * 1_000_000)
        commands.wait_until(lambda: incoming(settings), "the file comes in")
        if reset:
            linger = b"\x01\0\0\0\0\0\0\0"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    commands.wait_until(lambda: not incoming(settings), "what came in is gone")
    assert names(alice) == []
    assert not [one for one in settings.files_dir.rglob("*") if len(one.name) == 64]
    assert upload(alice, "rain")["newest"]["state"] == "queued"
