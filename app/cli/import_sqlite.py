import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from app import logs, settings
from app.cli import output, progress
from app.db import engine
from app.db.init import init_db
from app.db.session import Database
from app.errors import InvalidInput, Unavailable
from app.ops import old_keys
from app.ops.adoption.adopting import NEXT
from app.ops.adoption.tables import DOCUMENTS
from app.ops.migrate import connections, importing, page, report, retry, rules
from app.ops.migrate.importing import Options
from app.ops.migrate.plan import LEGACY
from app.ops.migrate.plans import Rules
from app.ops.migrate.results import EXIT_CODES, Report
from app.settings import Settings

WRONG_USE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        nargs="?",
        metavar="SOURCE",
        help="the SQLite file; it is only read. --retry-quarantine needs none",
    )
    parser.add_argument("--to", metavar="URL", help="the target, instead of that of the settings")
    parser.add_argument(
        "--no-init",
        action="store_true",
        help="take the target's schema as it is, of whatever program",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="do it all in a schema of its own that is dropped at the end, and report",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with an interrupted import")
    again.add_argument("--restart", action="store_true", help="begin an interrupted import anew")
    parser.add_argument(
        "--jobs", type=_jobs, default=_processors(), metavar="N", help="processes (%(default)s)"
    )
    parser.add_argument(
        "--on-bad-row",
        choices=["quarantine", "abort"],
        default="quarantine",
        help="what becomes of the import when a row can't be stored exactly (%(default)s)",
    )
    parser.add_argument(
        "--retry-quarantine",
        action="store_true",
        help="instead of an import: put back rows of an earlier one that were repaired",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.json",
        help="write the report as JSON, and as a page beside it with .html",
    )


def run(options: argparse.Namespace) -> int:
    loaded = _settings(options.to)
    logs.configure(loaded)
    if options.retry_quarantine:
        return _retry(loaded, options.no_init)
    if options.source is None:
        output.complain("mindgraph: name the SQLite file that is to be moved")
        return WRONG_USE
    _require_writable(options.report)
    try:
        with progress.shown(sys.stderr) as told:
            found = importing.run(_options(options, loaded), told)
    except KeyboardInterrupt:
        output.complain("mindgraph: interrupted; go on by --resume, or begin anew by --restart")
        raise
    if found.verdict != "failed" and not (options.no_init or options.dry_run):
        remarks = (*found.remarks, *_adopt_keys(loaded), *_next_steps(found))
        found = replace(found, remarks=tuple(dict.fromkeys(remarks)))
    for line in report.lines(found):
        output.say(line)
    if options.report:
        _write(options.report, found)
    return found.exit_code


def _write(file: Path, found: Report) -> None:
    try:
        file.write_text(report.to_json(found))
        file.with_suffix(".html").write_text(page.to_html(found))
    except OSError as error:
        raise Unavailable(
            f"the report can't be written ({error}); an import that is finished tells it again: "
            f"run the command with --resume and another name for --report"
        ) from error


def _retry(loaded: Settings, no_init: bool) -> int:
    found = retry.retry(connections.dsn(loaded), Rules() if no_init else rules.rules())
    remarks = [] if no_init else _adopt_keys(loaded)
    put_back = report.counted(found.put_back, "row")
    output.say(f"put back: {put_back}; left in quarantine: {found.left_total:,}")
    for remark in remarks:
        output.say(remark)
    for row in found.left:
        output.say(f"  {row.table} {row.key} {row.column or '(row)'}: {row.reason}")
    return EXIT_CODES["identical except quarantine" if found.left_total else "identical"]


def _next_steps(found: Report) -> list[str]:
    kept = f"{DOCUMENTS} -> {LEGACY}."
    return [NEXT] if any(move.startswith(kept) for move in found.moves) else []


def _adopt_keys(loaded: Settings) -> list[str]:
    database = Database(engine.build_direct(loaded, name="import"))
    try:
        return old_keys.adopt(database)
    finally:
        database.close()


def _options(options: argparse.Namespace, loaded: Settings) -> Options:
    return Options(
        source=options.source,
        dsn=connections.dsn(loaded),
        shown=connections.shown(loaded),
        rules=Rules() if options.no_init else rules.rules(),
        initialize=None if options.no_init else lambda: _initialize(loaded),
        is_dry_run=options.dry_run,
        begin="resume" if options.resume else "restart" if options.restart else "new",
        jobs=options.jobs,
        on_bad_row=options.on_bad_row,
    )


def _initialize(loaded: Settings) -> None:
    init_db(loaded, seeds=False, allow_unfinished=True)


def _settings(to: str | None) -> Settings:
    loaded = settings.load()
    if to is None:
        return loaded
    address = SecretStr(to)
    return loaded.model_copy(
        update={"database_url": address, "database_owner_url": address, "database_host": None}
    )


def _require_writable(file: Path | None) -> None:
    """A report that can't be written at the end would be a pity."""
    if file is None:
        return
    if file.suffix != ".json":
        raise InvalidInput(f"the report's name must end in .json, unlike {file}")
    folder = file.resolve().parent
    for one in (file, file.with_suffix(".html")):
        if one.is_dir() or not os.access(one if one.exists() else folder, os.W_OK):
            raise InvalidInput(f"can't write {one}; name another file with --report")


def _processors() -> int:
    return max(len(os.sched_getaffinity(0)), 1)


def _jobs(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("must be from 1 to 64")
    return number
