import argparse

from app import logs, metrics, settings
from app.db.init import init_db
from app.errors import Conflict
from app.http import reloading, server
from app.main import create_app
from app.ops import vectors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reload", action="store_true", help="one process that restarts when the code changes"
    )


def run(options: argparse.Namespace) -> None:
    with metrics.shared():
        serve(options)


def serve(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    if loaded.qdrant_url is None and loaded.web_workers > 1 and not options.reload:
        raise Conflict(
            "QDRANT_URL is not set, and several processes can't share a folder of Qdrant: "
            "set QDRANT_URL, or WEB_WORKERS=1, or use `mindgraph run`"
        )
    if not loaded.maintenance:
        init_db(loaded)
        vectors.prepare(loaded)
    # The owner may change the schema. What serves requests doesn't need that.
    settings.forget_owner()
    served = settings.load()
    if options.reload:
        reloading.serve("app.main:create_app", served)
    else:
        server.run_workers(create_app, served)
