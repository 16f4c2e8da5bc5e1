import argparse
import functools
import signal
import threading
from pathlib import Path

from app import logs, settings
from app.db.init import judge_file
from app.http import reloading
from app.jobs import worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--alive-file", type=Path, help="touch this file every few seconds while all is well"
    )
    parser.add_argument("--reload", action="store_true", help="restart when the code changes")


def run(options: argparse.Namespace) -> None:
    if options.reload:
        logs.configure(settings.load())
        reloading.run(functools.partial(work, options.alive_file))
    else:
        work(options.alive_file)


def work(alive: Path | None) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not loaded.maintenance:
        judge_file(loaded)
    worker.run(loaded, stop, alive)
