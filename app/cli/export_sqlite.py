import argparse
from pathlib import Path

from app import logs, settings
from app.cli import output
from app.db.sqlite.files import MB
from app.ops.migrate import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes one state of the PostgreSQL database to a new SQLite file, on which "
        "`mindgraph run` works as data/mindgraph.db. What is written while it runs isn't in the "
        "file: MAINTENANCE=true keeps everybody out. The search finds everything once the worker "
        "has made its index."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="where to; it isn't there yet")
    parser.add_argument(
        "--from",
        dest="address",
        metavar="URL",
        help="a database other than that of the settings, postgresql://user:password@host/name",
    )


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    done = export.export(loaded, options.file, address=options.address)
    width = max(len(one.name) for one in done.tables)
    for one in done.tables:
        is_same = (one.schema, one.table) == ("public", one.name)
        origin = "" if is_same else f"  from {one.schema}.{one.table}"
        output.say(f"{one.name:<{width}}  {one.rows:>12,}{origin}")
    for remark in done.remarks:
        output.say(remark)
    rows = sum(one.rows for one in done.tables)
    size = done.bytes / MB
    output.say(f"{done.file}: {rows:,} rows, {size:.1f} MB, {done.seconds:.1f} s")
    output.say("IDENTICAL: every row of PostgreSQL is in the file, and equal.")
