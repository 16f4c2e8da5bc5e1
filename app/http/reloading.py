"""For development: runs something in a child process that is started again when the code changes.

Changes are found by the times of files, which also works on Windows drives and in bind mounts.
"""

import functools
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from uvicorn.supervisors import ChangeReload

import app
from app.settings import Settings

CODE = str(Path(app.__file__).parent)


def serve(factory: str, settings: Settings) -> None:
    """Serves the application that `factory`, as "module:function", makes."""
    uvicorn.run(
        factory,
        factory=True,
        host=settings.app_host,
        port=settings.app_port,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        reload=True,
        reload_dirs=[CODE],
        timeout_graceful_shutdown=1,
    )


def run(target: Callable[[], None]) -> None:
    """Runs a function of a module, which ends on SIGTERM."""
    config = uvicorn.Config("", log_config=None, reload=True, reload_dirs=[CODE])
    ChangeReload(config, target=functools.partial(_call, target), sockets=[]).run()


def _call(target: Callable[[], None], sockets: list[socket.socket] | None = None) -> None:
    del sockets
    target()
