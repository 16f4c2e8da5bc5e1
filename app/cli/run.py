import argparse

from app import logs, settings
from app.cli import output
from app.db.init import init_db
from app.http import server
from app.main import create_app
from app.ops import embedded, vectors


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    with embedded.servers(loaded) as local:
        init_db(local)
        vectors.ensure_collections(local)
        with embedded.worker(local):
            output.say(f"MindGraph runs on http://{local.app_host}:{local.app_port}")
            output.say(f"API: /docs   data: {local.data_dir.resolve()}   stop: Ctrl-C")
            server.run_single(create_app, local)
    output.say("stopped; the data is kept")
