"""Runs the application: gunicorn with uvicorn workers, or one uvicorn in this process."""

import errno
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger as GunicornLogger
from uvicorn_worker import UvicornWorker

from app import metrics
from app.errors import Conflict
from app.settings import Settings

GRACE_S = 20
# A worker that doesn't report for so long is hung, and is replaced.
HUNG_AFTER_S = 60
KEEP_ALIVE_S = 65


class PortTaken(Conflict):
    """The port is taken; set APP_PORT to a free one."""


class Logger(GunicornLogger):  # type: ignore[misc]
    """Leaves records to the handlers of the root, so that every line has one format."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for name in ("gunicorn.error", "gunicorn.access"):
            logger = logging.getLogger(name)
            logger.handlers = []
            logger.propagate = True


class Worker(UvicornWorker):  # type: ignore[misc]
    # The middleware logs requests, with their ids.
    # Which proxies are believed is a setting of the application, not of the server.
    CONFIG_KWARGS: ClassVar = {
        "loop": "uvloop",
        "http": "httptools",
        "access_log": False,
        "proxy_headers": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logging.getLogger("uvicorn.error").propagate = True

    def handle_exit(self, _number: int, _frame: FrameType | None) -> None:
        # SIGQUIT, with which Gunicorn answers a SIGINT of its own. Uvicorn doesn't know it, and
        # Gunicorn would wait for its patience to end.
        signal.raise_signal(signal.SIGTERM)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(self, application: FastAPI, options: dict[str, Any]) -> None:
        self.application = application
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> FastAPI:
        return self.application


def run_workers(create_app: Callable[[Settings], FastAPI], settings: Settings) -> None:
    """Serves with `settings.web_workers` processes until SIGTERM; doesn't return.

    The application is built once, before the fork: the workers share its memory and start at
    once. It connects to nothing before its lifespan begins in a worker.
    """
    # What this process had open while it prepared all.
    metrics.forget_process(os.getpid())
    _Gunicorn(
        create_app(settings),
        {
            "child_exit": lambda _arbiter, worker: metrics.forget_process(worker.pid),
            "bind": f"{settings.app_host}:{settings.app_port}",
            "control_socket_disable": True,
            "graceful_timeout": GRACE_S,
            "keepalive": KEEP_ALIVE_S,
            "logger_class": Logger,
            "loglevel": settings.log_level.lower(),
            "preload_app": True,
            "proc_name": "mindgraph",
            "timeout": HUNG_AFTER_S,
            "worker_class": Worker,
            "workers": settings.web_workers,
            # Gunicorn's heartbeat is a file; on a disk a slow write would look like a hung worker.
            "worker_tmp_dir": "/dev/shm",  # noqa: S108
        },
    ).run()


def listen(settings: Settings) -> socket.socket:
    """A socket bound to the address of the settings. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.app_host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.app_host, settings.app_port))
    except OSError as error:
        listener.close()
        fix = "APP_PORT to a free port"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            fix = "APP_HOST to an address of this machine"
        raise PortTaken(
            f"can't listen on {settings.app_host}:{settings.app_port} ({error.strerror}); set {fix}"
        ) from error
    return listener


def run_single(application: FastAPI, listener: socket.socket) -> None:
    """Serves in this process until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        application,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    # After a clean shutdown the server raises the signal again for whoever runs it.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
