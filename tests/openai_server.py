"""A server with the API of OpenAI, on the loopback, that behaves as a test wants it to.

    with OpenAIServer() as server:
        server.next(answer(429, headers={"Retry-After": "1"}), reset)
        ...  # settings with embedder_url=server.url
        assert [request.path for request in server.requests] == [...]

Without a behaviour for a request it answers rightly: embeddings from tests/hashed_vectors.py, and
chats that give back what was said last.
"""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests import hashed_vectors

DIMENSION = 64


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: Any
    # Of the monotonic clock.
    at: float


class Exchange(BaseHTTPRequestHandler):
    """One request, and the means to answer it."""

    protocol_version = "HTTP/1.1"
    server: "Listener"
    body: Any = None

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.body = json.loads(self.rfile.read(length) or b"null")
        seen = Request(self.path, dict(self.headers), self.body, time.monotonic())
        self.server.owner.behaviour_for(seen)(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def reply(self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Sends bytes as they are, and anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self) -> None:
        """Whatever is written afterwards is the body, until the connection ends."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def event(self, data: Any) -> None:
        shown = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        self.wfile.write(f"data: {shown}\n\n".encode())

    def embeddings(self, dimension: int) -> list[dict[str, Any]]:
        texts = [self.body["input"]] if isinstance(self.body["input"], str) else self.body["input"]
        return [
            {"index": at, "embedding": hashed_vectors.vector(text, dimension)}
            for at, text in enumerate(texts)
        ]

    def reset(self) -> None:
        """Ends the connection in the way of a server that died."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()


Behaviour = Callable[[Exchange], None]


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, owner: "OpenAIServer", port: int) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Exchange)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request_thread(request, client_address)
        self.connections.discard(request)

    def end_connections(self) -> None:
        """As the end of a process does, those included that wait for the next request."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of what is tested."""


class OpenAIServer:
    def __init__(self, *, dimension: int = DIMENSION, port: int = 0) -> None:
        """
        Args:
            dimension: of the vectors, where the request names none.
            port: of one that was closed, to come back as the same; 0 takes a free one.
        """
        self.dimension = dimension
        self.requests: list[Request] = []
        # Set when the server closes; behaviours that wait go on then.
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._next: deque[Behaviour] = deque()
        self._always: Behaviour = right
        self._listener = Listener(self, port)
        self.port: int = self._listener.server_address[1]
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def settings(self) -> dict[str, Any]:
        """Of a service that takes its embeddings and its answers from here."""
        return {
            "embedder": "openai",
            "embedder_dimension": self.dimension,
            "embedder_model": "hashed",
            "embedder_url": self.url,
            "llm_model": "echo",
            "llm_url": self.url,
        }

    def next(self, *behaviours: Behaviour) -> None:
        """Each for one request; what comes after them is answered as ever."""
        with self._lock:
            self._next += behaviours

    def always(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._always = behaviour

    def behaviour_for(self, request: Request) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            return self._next.popleft() if self._next else self._always

    def close(self) -> None:
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.end_connections()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def right(exchange: Exchange) -> None:
    if exchange.path.endswith("/embeddings"):
        dimension = exchange.body.get("dimensions") or exchange.server.owner.dimension
        exchange.reply({"data": exchange.embeddings(dimension), "model": exchange.body["model"]})
    elif exchange.body.get("stream"):
        saying(*_last(exchange).split(" "), usage=(11, 7))(exchange)
    else:
        message = {"role": "assistant", "content": _last(exchange)}
        usage = {"prompt_tokens": 11, "completion_tokens": 7}
        exchange.reply({"choices": [{"message": message}], "usage": usage})


def _last(exchange: Exchange) -> str:
    said: str = exchange.body["messages"][-1]["content"]
    return said


def answer(status: int, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Behaviour:
    return lambda exchange: exchange.reply({"error": {}} if body is None else body, status, headers)


def of_dimension(dimension: int) -> Behaviour:
    return lambda exchange: exchange.reply({"data": exchange.embeddings(dimension)})


def changed(change: Callable[[list[dict[str, Any]]], object]) -> Behaviour:
    """The right vectors, after `change` was at the list of them."""

    def behave(exchange: Exchange) -> None:
        data = exchange.embeddings(exchange.server.owner.dimension)
        change(data)
        exchange.reply({"data": data})

    return behave


def saying(*pieces: str, usage: tuple[int, int] | None = None, ends: bool = True) -> Behaviour:
    """A stream; without `ends` the connection breaks off after the last piece."""

    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        for piece in pieces:
            exchange.event({"choices": [{"delta": {"content": piece}}]})
        if not ends:
            return
        exchange.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        if usage:
            tokens = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
            exchange.event({"choices": [], "usage": tokens})
        exchange.event("[DONE]")

    return behave


def reset(exchange: Exchange) -> None:
    exchange.reset()


def hang(exchange: Exchange) -> None:
    """Says nothing until the server closes."""
    exchange.server.owner.closing.wait()
    exchange.close_connection = True


def cut_off(exchange: Exchange) -> None:
    """Half of an answer, and the end of the connection."""
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000")
    exchange.end_headers()
    exchange.wfile.write(b'{"data": [{"index": 0, "embed')
    exchange.close_connection = True
