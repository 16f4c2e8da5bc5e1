"""The database as one file, which was loaded once before it gets its name; and back from it."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from host import output
from host.databases import dumping, leftovers, loading
from host.errors import WrongUse
from host.operations import Operation
from host.restores import restoring, switching, uploads, vectors
from host.restores.generations import SETTING, Generation
from host.toolbox import FILES, POSTGRES

# As gzip; every build of PostgreSQL reads it.
COMPRESSION = 6


def export(work: Operation, path: Path) -> dumping.Tables:
    """Raises HostError, and then there is no such file."""
    if path.exists():
        raise WrongUse(f"{path} is there already; name another file")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with _private(unfinished) as file, dumping.begun(work.stack, COMPRESSION) as (tables, dump):
            shutil.copyfileobj(dump, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        output.complain("loading it into a database that is thrown away")
        loading.require_same(tables, _try_out(work, unfinished))
        unfinished.replace(path)
        _sync(path.parent)
    finally:
        if unfinished.exists():
            unfinished.unlink()
    return tables


def take_in(work: Operation, path: Path) -> Generation:
    """The stack serves the file's database; returns the volumes that it used before. Raises
    HostError, and then it has the data it had."""
    toolbox, journal = work.toolbox, work.journal
    before, made = Generation.current(toolbox), Generation.fresh(toolbox)
    journal.note(**{restoring.UNFINISHED: made.name})
    with path.open("rb") as dump, restoring.undone(work.stack, toolbox, journal, made):
        made.make(toolbox)
        output.complain("loading the file beside the database in use")
        loading.load(toolbox, made.volume(POSTGRES), dump)
        uploads.copy(toolbox, before.volume(FILES), made.volume(FILES))
        output.complain("starting the stack with it")
        journal.note(**{restoring.SWITCHING: made.name})
        switching.switch(work.stack, {SETTING: made.name})
    journal.clear()
    vectors.settle(work.stack, "the database is another one")
    return before


def _try_out(work: Operation, path: Path) -> dumping.Tables:
    stamp = datetime.now(timezone.utc).strftime("-%Y%m%dT%H%M%SZ")
    scratch = Generation(f"{work.toolbox.project}-scratch", stamp)
    work.journal.note(**{leftovers.SCRATCH: scratch.volume(POSTGRES)})
    try:
        scratch.make(work.toolbox, [POSTGRES])
        with path.open("rb") as dump:
            return loading.load(work.toolbox, scratch.volume(POSTGRES), dump)
    finally:
        work.toolbox.remove_leftovers()
        leftovers.clean_scratch(work.journal)


def _private(path: Path) -> IO[bytes]:
    """It has hashes of passwords, and all that people saved."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
