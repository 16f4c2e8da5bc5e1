"""Where a worker tells its metrics: it has no web server of its own."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import SecretStr

from app import metrics
from app.errors import Conflict
from app.settings import Settings

# For the head of a request, so that a client that says nothing holds no thread for long.
PATIENCE_S = 10.0


class MetricsPortTaken(Conflict):
    """The port for the worker's metrics is taken; set WORKER_METRICS_PORT to a free one."""


@contextmanager
def serving_metrics(settings: Settings) -> Iterator[None]:
    """Answers GET /metrics for the block, where there is a port and a token for it.

    Raises:
        MetricsPortTaken.
    """
    if settings.worker_metrics_port is None or settings.metrics_token is None:
        yield
        return
    with _server(settings, settings.worker_metrics_port, settings.metrics_token) as server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _server(settings: Settings, port: int, token: SecretStr) -> ThreadingHTTPServer:
    class Handler(_Handler):
        wanted = token

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in settings.app_host else socket.AF_INET

    try:
        return Server((settings.app_host, port), Handler)
    except OSError as error:
        raise MetricsPortTaken(
            f"can't listen on {settings.app_host}:{port} for metrics ({error.strerror}); "
            "set WORKER_METRICS_PORT to a free port"
        ) from error


class _Handler(BaseHTTPRequestHandler):
    wanted: SecretStr
    timeout = PATIENCE_S
    server_version = "mindgraph"
    sys_version = ""

    # The names are the library's.
    def do_GET(self) -> None:
        if self.path != "/metrics":
            self._answer(404, b"Not Found\n")
        elif not metrics.is_allowed(self.wanted, self.headers.get("Authorization")):
            self._answer(401, b"The bearer token is not METRICS_TOKEN.\n")
        else:
            self._answer(200, metrics.render(), metrics.MEDIA_TYPE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not in the log: it would be a line every few seconds."""

    def _answer(self, status: int, body: bytes, media_type: str = "text/plain") -> None:
        # Who asks may be gone already.
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
