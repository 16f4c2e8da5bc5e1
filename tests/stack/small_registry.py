"""A registry that serves one tiny image under every name, its layer drop by drop."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DROPS = 12


def layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = 6
        archive.addfile(entry, io.BytesIO(b"hello\n"))
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


PLAIN = layer()
ZIPPED = gzip.compress(PLAIN)
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(PLAIN)]},
    }
).encode()
BLOBS = {digest(ZIPPED): ZIPPED, digest(CONFIG): CONFIG}
IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(CONFIG),
            "digest": digest(CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": len(ZIPPED),
                "digest": digest(ZIPPED),
            }
        ],
    }
).encode()


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pause: ClassVar[float] = 0.3

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        if "/manifests/" in self.path:
            self.send(IMAGE, MANIFEST, body=body)
        elif "/blobs/" in self.path:
            blob = BLOBS[self.path.rsplit("/", 1)[1]]
            self.send(blob, "application/octet-stream", body=body, drops=DROPS)
        else:
            self.send(b"{}", "application/json", body=body)

    def send(self, content: bytes, kind: str, *, body: bool, drops: int = 1) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", digest(content))
        self.end_headers()
        step = -(-len(content) // drops)
        for start in range(0, len(content) if body else 0, step):
            self.wfile.write(content[start : start + step])
            self.wfile.flush()
            if drops > 1:
                time.sleep(self.pause)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its parent's name
        """Says nothing: what counts is what the client gets."""


@contextmanager
def slow_registry() -> Iterator[str]:
    """Yields the prefix of its images."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
