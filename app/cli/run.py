import argparse
import os
import signal
from types import FrameType

from app import logs, settings
from app.cli import output
from app.db.init import init_db
from app.http import server
from app.main import create_app
from app.ops import embedded, vectors


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> None:
    # Password hashes and sessions are in the data folder.
    os.umask(0o077)
    loaded = settings.load()
    logs.configure(loaded)
    # Stopped at any point, also before the server runs, what was started is ended again.
    signal.signal(signal.SIGTERM, _interrupt)
    # A closed terminal stops it as well, except below nohup.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    with server.listen(loaded) as listener, embedded.servers(loaded) as local:
        if not local.maintenance:
            init_db(local)
            vectors.prepare(local)
        with embedded.worker(local):
            host, port = listener.getsockname()[:2]
            output.say(f"MindGraph runs on http://{host}:{port}")
            output.say(f"API: /docs   data: {local.data_dir.resolve()}   stop: Ctrl-C")
            server.run_single(create_app(local), listener)
    output.say("stopped; the data is kept")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
