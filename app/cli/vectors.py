import argparse
import importlib
import json
import shutil
import sys
import tempfile
from dataclasses import asdict

from app import logs, settings
from app.cli import output
from app.settings import Settings
from app.vectors import snapshots


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="vectors_command")
    commands.add_parser("snapshots", help="list the snapshots that Qdrant has of the search index")
    commands.add_parser("snapshot", help="let Qdrant make a snapshot of the search index")
    for name, summary in (
        ("read-snapshot", "write a snapshot to standard output"),
        ("delete-snapshot", "delete a snapshot"),
    ):
        command = commands.add_parser(name, help=summary)
        command.add_argument("collection")
        command.add_argument("name")
    load = commands.add_parser(
        "load-snapshot", help="make a collection of the snapshot on standard input"
    )
    load.add_argument("collection")
    commands.add_parser(
        "mend",
        help="let Qdrant have what the database has",
        description="Removes points of what the database doesn't have, and writes those that are "
        "missing, from the vectors that the database keeps. Passages are embedded only where it "
        "keeps none.",
    )


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    if options.vectors_command == "read-snapshot":
        for data in snapshots.read(loaded, options.collection, options.name):
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    elif options.vectors_command == "load-snapshot":
        # A file, as its length comes first; in memory there may be no room for it.
        with tempfile.TemporaryFile(dir=loaded.data_dir) as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.seek(0)
            snapshots.load(loaded, options.collection, file)
    elif options.vectors_command == "delete-snapshot":
        snapshots.delete(loaded, options.collection, options.name)
    else:
        output.say(json.dumps(_answer(loaded, options.vectors_command), ensure_ascii=False))


def _answer(loaded: Settings, command: str) -> dict[str, object]:
    # More than a second, which the commands that need none of it don't take: a backup runs several.
    knowledge = importlib.import_module("app.ops.knowledge")
    operations = importlib.import_module("app.ops.snapshots")
    with knowledge.tools(loaded) as tools:
        if command == "mend":
            return asdict(operations.mend(tools))
        if command == "snapshot":
            return asdict(operations.make(tools))
        found = operations.collection(tools)
        return {"collection": found, "names": snapshots.list_(loaded, found)}
