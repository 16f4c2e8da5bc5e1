"""Offline stand-in for the Qdrant server: the needed part of its REST API over its own engine."""

import asyncio
import logging
import os
import signal
import sys
from importlib.metadata import version
from types import FrameType

import uvicorn
from settings import Settings, SettingsError, settings_from
from store import StorageError, Store
from web import create_app

log = logging.getLogger("qdrant")
ENGINE = f"qdrant-edge-py {version('qdrant-edge-py')}"


class Server(uvicorn.Server):
    """uvicorn, but it waits for its end instead of looking for it ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self.stop.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.stop.set)


def main() -> int:
    try:
        settings = settings_from(os.environ)
        configure_log(settings)
        store = Store(settings.storage, settings.snapshots)
    except (SettingsError, StorageError) as error:
        sys.stderr.write(f"Error: {error}.\n")
        return 1
    announce(settings)
    try:
        return serve(settings, store)
    finally:
        store.close()


def configure_log(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s"
    )


def announce(settings: Settings) -> None:
    log.info(
        "offline stand-in for Qdrant on the engine %s, REST on %s:%s, no gRPC, storage %s",
        ENGINE,
        settings.host,
        settings.port,
        settings.storage.resolve(),
    )
    if (settings.storage / "collections").exists():
        log.warning("this volume also holds data of the real Qdrant server: left alone, not served")
    for name in settings.ignored:
        log.info("%s has no effect on the stand-in", name)


def serve(settings: Settings, store: Store) -> int:
    config = uvicorn.Config(
        create_app(settings, store, ENGINE),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # uvicorn raises the signal again once it has stopped: a wanted stop must end with exit code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = Server(config)
    asyncio.run(server.serve())
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
