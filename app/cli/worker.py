import argparse
import signal
import threading
from pathlib import Path

from app import logs, settings
from app.jobs import worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--alive-file", type=Path, help="touch this file every few seconds while all is well"
    )


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    worker.run(loaded, stop, options.alive_file)
