"""Judges a database file before anything uses it."""

import os
import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import structlog

from app import clock
from app.db.errors import DatabaseDamaged, FileUnusable
from app.db.sqlite import checkpoints, files, integrity, journal, meanings
from app.db.sqlite.integrity import Check, Findings

log = structlog.get_logger(__name__)

# A file up to this size is checked in full at each start: at most about a second.
SMALL_MB = 64
# Another process may be settling the same file.
PATIENCE_S = 10.0
WHAT_TO_DO = (
    "It was left as it was: restore a backup in its place, and keep it, for "
    "`sqlite3 FILE .recover` can save most of it"
)

State = Literal["new", "clean", "recovered", "repaired", "in use"]


@dataclass(frozen=True)
class Verdict:
    """How a database file was found.

    `recovered` and `repaired` files were not closed by their last user, or had damaged indexes.
    `pages` were read back from the journal; `left_out` are the last ones there, which SQLite didn't
    take: an unfinished transaction, or damage. `kept` are copies of what was changed.
    """

    state: State
    checked: Check | None = None
    pages: int = 0
    left_out: int = 0
    orphans: int = 0
    kept: tuple[Path, ...] = ()


def judge(file: Path, *, thorough: bool = False) -> Verdict:
    """Checks a file, reads a leftover journal back, and mends damaged indexes.

    Only one process at a time may do so. Nothing is changed when it raises.

    Args:
        file: the database's, resolved.
        thorough: make the full check, whatever it takes.

    Raises:
        DatabaseDamaged: the message names the damage and what to do.
        FileUnusable: it can't be opened.
    """
    if _is_new(file):
        return Verdict("new")
    _require_usable(file)
    if checkpoints.are_made(file):
        return Verdict("in use")
    check = _choose(file, thorough)
    # Looking at the file undoes what is in this one.
    interrupted = files.size(_rollback_journal(file)) > 0
    try:
        found = _look(file, check) if check else None
        if found and found.damage:
            raise DatabaseDamaged(_damaged(file, found.damage))
        verdict = _settle(file, check, found)
        if interrupted and verdict.state == "clean":
            verdict = replace(verdict, state="recovered")
    except (sqlite3.Error, OSError) as error:
        raise FileUnusable(f"can't open the database {file} ({error})") from error
    _tell(file, verdict, found)
    return verdict


def _is_new(file: Path) -> bool:
    if file.exists() and (files.size(file) or not file.is_file()):
        return False
    if files.size(files.journal(file)):
        raise DatabaseDamaged(
            f"the database {file} is gone or empty, but its journal {files.journal(file)} is not: "
            f"restore the file, or move the journal away to begin anew"
        )
    return True


def _require_usable(file: Path) -> None:
    if not file.is_file():
        raise FileUnusable(f"the database {file} is no file; set DATA_DIR or DATABASE_URL to one")
    for mode, missing in ((os.R_OK, "read"), (os.W_OK, "written")):
        if not os.access(file, mode):
            raise FileUnusable(
                f"the database {file} can't be {missing} (permission denied); "
                f"give it to the user who runs this, or set DATA_DIR"
            )


def _choose(file: Path, thorough: bool) -> Check | None:
    if thorough or files.size(file) <= SMALL_MB * files.MB:
        return "integrity_check"
    return "quick_check" if _was_left_open(file) else None


def _was_left_open(file: Path) -> bool:
    return any(files.size(one) for one in (files.journal(file), _rollback_journal(file)))


def _rollback_journal(file: Path) -> Path:
    # Before it is in WAL mode for the first time, a file has this one.
    return file.with_name(f"{file.name}-journal")


def _look(file: Path, check: Check) -> Findings:
    # For reading, so that not even the journal is folded into a file that is damaged. An
    # interrupted change by way of the old journal can only be undone by writing.
    mode: Literal["ro", "rw"] = "rw" if files.size(_rollback_journal(file)) else "ro"
    with files.connected(file, mode, patience_s=PATIENCE_S) as connection:
        return integrity.look(connection, check)


def _settle(file: Path, check: Check | None, found: Findings | None) -> Verdict:
    """Folds the journal into the file and mends its indexes, unless others use it by now."""
    orphans = found.orphans if found else 0
    with files.connected(file, "rw") as connection:
        # Fails while anybody else has a connection; so the journal's pages are nobody's.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.OperationalError as error:
            if meanings.code(error) in meanings.BUSY:
                return Verdict("in use", check, orphans=orphans)
            raise
        pages = max(0, pages)
        written = journal.read(files.journal(file))
        kept = []
        if written.last_commit > pages:
            kept.append(_keep_journal(file))
        if found and found.indexes:
            kept.append(_mend(file, connection, found.indexes))
    return Verdict(
        _state(written.pages > 0, bool(found and found.indexes)),
        check,
        pages,
        max(0, written.pages - pages),
        orphans,
        tuple(kept),
    )


def _state(was_left_open: bool, mended: bool) -> State:
    if mended:
        return "repaired"
    return "recovered" if was_left_open else "clean"


def _keep_journal(file: Path) -> Path:
    """Copies a journal with transactions that SQLite leaves out, before it is gone."""
    copy = _name_of_copy(files.journal(file))
    shutil.copy(files.journal(file), copy)
    return copy


def _mend(file: Path, connection: sqlite3.Connection, problems: list[str]) -> Path:
    copy = _name_of_copy(file)
    if files.free_mb(file.parent) * files.MB < 2 * files.size(file):
        raise DatabaseDamaged(_damaged(file, [*problems, "no room for a copy to mend it"]))
    # Whoever may not read the file may not read its copy.
    copy.touch(mode=file.stat().st_mode & 0o777)
    with files.connected(copy, "rw") as target:
        connection.backup(target)
    wrong = integrity.rebuild_indexes(connection)
    if wrong:
        copy.unlink()
        raise DatabaseDamaged(_damaged(file, wrong))
    return copy


def _name_of_copy(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged-{clock.now():%Y%m%dT%H%M%SZ}")


def _damaged(file: Path, problems: list[str]) -> str:
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"the database {file} is damaged: {problems[0]}{others}. {WHAT_TO_DO}"


def _tell(file: Path, verdict: Verdict, found: Findings | None) -> None:
    event = f"the database file is {verdict.state}"
    facts: dict[str, object] = {
        "file": str(file),
        "checked": verdict.checked,
        "pages": verdict.pages,
    }
    if verdict.kept or verdict.left_out:
        facts |= {"left_out": verdict.left_out, "kept": [str(copy) for copy in verdict.kept]}
    say = log.warning if verdict.kept else log.info
    say(event, **facts)
    if found and found.orphans:
        log.warning("rows refer to rows that are missing", count=found.orphans)
    for line in (found.rows if found else [])[:10]:
        log.warning("a row breaks a rule", problem=line)
