"""How far an import is, kept in the target beside the rows: what a resumed one goes on from.

`legacy.import_state` is there from the first change to the target until all is proved. Its mere
existence, which every role can see, keeps the service from starting.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from pydantic import TypeAdapter, ValidationError

from app.errors import Conflict
from app.ops.migrate import target
from app.ops.migrate.plan import LEGACY, Plan

CREATE = """
CREATE TABLE {legacy}.import_state (
    is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one),
    run text NOT NULL,
    source text NOT NULL,
    fingerprint text NOT NULL,
    file text NOT NULL,
    snapshot text NOT NULL,
    is_given_up boolean NOT NULL DEFAULT false,
    plan text NOT NULL,
    saved text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE {legacy}.import_parts (
    move integer NOT NULL,
    part integer NOT NULL,
    rows_read bigint NOT NULL,
    rows_refused bigint NOT NULL,
    PRIMARY KEY (move, part)
);
"""
# These names in the schema are taken, also before there are such tables.
TABLES = ("import_state", "import_parts", "import_reports")
DROP = "DROP TABLE IF EXISTS {legacy}.import_parts, {legacy}.import_state"
EXISTS = """
SELECT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = 'import_state')
"""
INSERT = """
INSERT INTO {legacy}.import_state (run, source, fingerprint, file, snapshot, plan, saved)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
SELECT = """
SELECT run, source, fingerprint, file, snapshot, is_given_up, plan, saved
FROM {legacy}.import_state
"""
# Not when another run has begun since: a worker that outlived its own must not add to it. The lock
# makes the one that begins wait until this is committed.
DONE = """
INSERT INTO {legacy}.import_parts (move, part, rows_read, rows_refused)
SELECT %s, %s, %s, %s FROM {legacy}.import_state WHERE run = %s
FOR SHARE
"""

_plans = TypeAdapter(Plan)
_catalogues = TypeAdapter(target.Catalogue)


class RunIsOver(Conflict):
    """Another import has taken the place of this one."""


class OtherRelease(Conflict):
    """The import was begun by another release, which alone can go on with it."""


class ImportInterrupted(Conflict):
    """An import into this database was interrupted."""


@dataclass(frozen=True)
class State:
    """`source` is what was asked for, `file` what is read: that, or a snapshot of it.

    `snapshot` is the fingerprint of a snapshot, empty without one. Who gives up takes back what
    was loaded, and nobody can go on with it.

    `saved` is the target as it was before: its constraints and indexes come back at the end.
    """

    run: str
    source: str
    fingerprint: str
    file: str
    snapshot: str
    plan: Plan
    saved: target.Catalogue
    is_given_up: bool = False


def exists(cursor: Cursor, legacy: str = LEGACY) -> bool:
    # Not to_regclass, which needs the right to use the schema.
    cursor.execute(EXISTS, (legacy,))
    ((found,),) = cursor.fetchall()
    return bool(found)


def require_finished(cursor: Cursor) -> None:
    """Raises ImportInterrupted."""
    if exists(cursor):
        raise ImportInterrupted(
            "an import into this database is unfinished: go on with it by --resume"
        )


def begin(
    cursor: Cursor,
    source: str,
    fingerprint: str,
    read: tuple[str, str],
    plan: Plan,
    saved: target.Catalogue,
) -> State:
    """Marks the target as unfinished, in the caller's transaction.

    Args:
        cursor: of the target.
        source: the file that was asked for.
        fingerprint: what it is like.
        read: the file that is read, and its fingerprint if it is a snapshot.
        plan: what goes where.
        saved: the target as it is.
    """
    begun = State(secrets.token_hex(8), source, fingerprint, *read, plan, saved)
    cursor.execute(at(plan.legacy, CREATE))
    texts = [_plans.dump_json(plan).decode(), _catalogues.dump_json(saved).decode()]
    cursor.execute(at(plan.legacy, INSERT), (begun.run, source, fingerprint, *read, *texts))
    return begun


def read(cursor: Cursor, legacy: str = LEGACY) -> State:
    """Raises OtherRelease."""
    try:
        cursor.execute(at(legacy, SELECT))
        ((run, source, fingerprint, file, snapshot, is_given_up, plan, saved),) = cursor.fetchall()
        return State(
            run=run,
            source=source,
            fingerprint=fingerprint,
            file=file,
            snapshot=snapshot,
            plan=_plans.validate_json(plan),
            saved=_catalogues.validate_json(saved),
            is_given_up=is_given_up,
        )
    except (psycopg2.errors.UndefinedColumn, ValidationError) as error:
        raise OtherRelease from error


def give_up(cursor: Cursor, legacy: str) -> None:
    """From now on nobody can go on with it, only begin anew."""
    cursor.execute(at(legacy, "UPDATE {legacy}.import_state SET is_given_up = true"))


def renew(cursor: Cursor, legacy: str) -> str:
    """A new name for the run, so that no process of the interrupted one can add to it."""
    run = secrets.token_hex(8)
    cursor.execute(at(legacy, "UPDATE {legacy}.import_state SET run = %s"), (run,))
    return run


def make_durable(cursor: Cursor, legacy: str) -> None:
    """What was committed so far, by whomever, is on the disk when the transaction is committed."""
    cursor.execute("SET LOCAL synchronous_commit TO on")
    # A commit without a change would have nothing to wait for.
    cursor.execute(at(legacy, "UPDATE {legacy}.import_state SET run = run"))


def note_part(
    cursor: Cursor, legacy: str, run: str, part: tuple[int, int], read: int, refused: int
) -> None:
    """Raises RunIsOver."""
    try:
        cursor.execute(at(legacy, DONE), (*part, read, refused, run))
    except psycopg2.errors.UndefinedTable as error:
        raise RunIsOver from error
    if cursor.rowcount != 1:
        raise RunIsOver


def parts(cursor: Cursor, legacy: str) -> dict[tuple[int, int], int]:
    """Those that are loaded, and how many rows were read for each."""
    cursor.execute(at(legacy, "SELECT move, part, rows_read FROM {legacy}.import_parts"))
    return {(move, part): read for move, part, read in cursor.fetchall()}


def end(cursor: Cursor, legacy: str) -> None:
    cursor.execute(at(legacy, DROP))


def at(legacy: str, statement: str) -> sql.Composed:
    """A statement with the name of the schema in the place of {legacy}."""
    return sql.SQL(statement).format(legacy=sql.Identifier(legacy))


def name(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, table)


def names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
