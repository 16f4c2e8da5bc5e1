"""The import as a whole: its phases in their order, and how it goes on after an interruption."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app import clock
from app.errors import Conflict
from app.ops.migrate import (
    catalogue,
    connections,
    history,
    plans,
    prepare,
    quarantine,
    rows,
    schema,
    sequences,
    sources,
    state,
    target,
)
from app.ops.migrate.plan import LEGACY, Move, Plan
from app.ops.migrate.plans import Rules
from app.ops.migrate.progress import Progress
from app.ops.migrate.rebuild import Rebuilder
from app.ops.migrate.results import Proof, Report
from app.ops.migrate.sources import Chosen
from app.ops.migrate.verify import verify
from app.ops.migrate.workers import Task

# "MindMove" as eight bytes, which no other program on this database uses.
KEY = int.from_bytes(b"MindMove", "big")
# Rows of a part: small enough that one that is done again costs little.
PART_ROWS = 25_000
REHEARSAL = "import_dry_run"


class ImportRunning(Conflict):
    """Another import into this database is running."""


class BadRow(Conflict):
    """The file has rows that PostgreSQL can't take, and the import was to end at one."""


@dataclass(frozen=True)
class Options:
    """`initialize` prepares the target's schema first; None of its rows. `shown` is the target
    without its password."""

    source: Path
    dsn: str
    shown: str
    rules: Rules = field(default_factory=Rules)
    initialize: Callable[[], None] | None = None
    is_dry_run: bool = False
    begin: Literal["new", "resume", "restart"] = "new"
    jobs: int = 2
    on_bad_row: Literal["quarantine", "abort"] = "quarantine"
    schema: str = "public"


def run(options: Options, progress: Progress) -> Report:
    """Moves a file into the target, and proves it.

    Raises:
        AppError: nothing was changed, or what was done is kept for --resume; the message says
            which, and what helps.
    """
    try:
        with connections.opened(options.dsn, (options.schema,)) as connection, alone(connection):
            return _Import(options, progress, connection).run()
    except psycopg2.Error as error:
        meant = connections.meaning(error)
        if meant is None:
            raise
        raise meant from error


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """One import at a time. Raises ImportRunning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (KEY,))
        ((taken,),) = cursor.fetchall()
    connection.commit()
    if not taken:
        raise ImportRunning("another import into this database is running; wait for its end")
    yield


class _Import:
    def __init__(self, options: Options, progress: Progress, connection: Connection) -> None:
        self._options = options
        self._progress = progress
        self._connection = connection
        self._seconds: dict[str, float] = {}
        self._began = clock.now()
        self._remarks: list[str] = []

    def run(self) -> Report:
        options = self._options
        interrupted = self._interrupted()
        if interrupted is None and options.begin == "resume":
            finished = self._finished()
            if finished:
                return finished
        self._initialize()
        if options.is_dry_run:
            return self._rehearse()
        with ExitStack() as stack:
            with self._phase("checking the file"):
                goes_on = interrupted if options.begin == "resume" else None
                chosen = sources.choose(options.source, goes_on, options.jobs, stack)
            self._remarks += chosen.remarks
            with ExitStack() as refused:
                if not goes_on:
                    refused.callback(chosen.forget)
                job = self._prepared(chosen, interrupted)
                refused.pop_all()
            return self._carry_out(job)

    def _initialize(self) -> None:
        initialize = self._options.initialize
        if not initialize:
            return
        if self._options.is_dry_run:
            with self._transaction() as cursor:
                if target.catalogue(cursor, self._options.schema).tables:
                    return
            self._remarks.append("the target had no tables; the service's empty ones were made")
        with self._phase("preparing the schema"):
            initialize()

    def _interrupted(self) -> state.State | None:
        with self._transaction() as cursor:
            if not state.exists(cursor):
                return None
            found = state.read(cursor)
        if self._options.is_dry_run or self._options.begin == "new":
            raise state.ImportInterrupted(
                f"an import of {found.source} into this database was interrupted: go on with it "
                f"by --resume, or begin anew by --restart"
            )
        return found

    def _finished(self) -> Report | None:
        with self._transaction() as cursor:
            return history.find(cursor, LEGACY, sources.fingerprint(self._options.source))

    def _prepared(self, chosen: Chosen, interrupted: state.State | None) -> "_Job":
        with self._phase("planning"):
            found = schema.catalogue(chosen.source.connection)
            if interrupted and self._options.begin == "resume":
                return self._resumed(chosen, found, interrupted)
            with self._transaction() as cursor:
                saved = interrupted.saved if interrupted else self._target(cursor)
                plan = plans.make(
                    chosen.source.connection, found, saved, self._options.rules, LEGACY
                )
                if interrupted:
                    prepare.finish(cursor, saved, interrupted.plan)
                    prepare.undo(cursor, interrupted.plan, saved)
                    state.end(cursor, LEGACY)
                    sources.forget(interrupted)
                prepare.require_empty(cursor, saved, plan)
                quarantine.make(cursor, plan)
                begun = state.begin(
                    cursor,
                    str(self._options.source.resolve()),
                    chosen.fingerprint,
                    str(chosen.file),
                    plan,
                    saved,
                )
                prepare.prepare(cursor, saved, plan, comments(found, plan))
            return _Job(chosen, found, begun, self._options.schema)

    def _resumed(
        self, chosen: Chosen, found: catalogue.Catalogue, interrupted: state.State
    ) -> "_Job":
        with self._transaction() as cursor:
            run_name = state.renew(cursor, LEGACY)
        return _Job(chosen, found, replace(interrupted, run=run_name), self._options.schema)

    def _target(self, cursor: Cursor) -> target.Catalogue:
        found = target.catalogue(cursor, self._options.schema)
        if not found.tables:
            raise Conflict(
                f"schema {self._options.schema} of the target has no tables; prepare it first "
                f"(`mindgraph init-db`), or leave --no-init away"
            )
        return found

    def _rehearse(self) -> Report:
        places = (REHEARSAL, f"{REHEARSAL}_{LEGACY}")
        with ExitStack() as stack:
            with self._phase("checking the file"):
                chosen = sources.choose(self._options.source, None, self._options.jobs, stack)
            self._remarks += chosen.remarks
            stack.callback(chosen.forget)
            stack.callback(self._forget, places)
            with self._phase("planning"):
                job = self._rehearsed(chosen, places)
            return self._carry_out(job)

    def _rehearsed(self, chosen: Chosen, places: tuple[str, str]) -> "_Job":
        self._forget(places)
        found = schema.catalogue(chosen.source.connection)
        with self._transaction() as cursor:
            saved = self._target(cursor)
            into = replace(saved, schema=places[0])
            plan = plans.make(chosen.source.connection, found, into, self._options.rules, places[1])
            self._note_rows(cursor, saved, plan)
            prepare.rehearse(cursor, saved, plan, places[0], comments(found, plan))
            begun = state.begin(
                cursor, str(chosen.file), chosen.fingerprint, str(chosen.file), plan, saved
            )
        return _Job(chosen, found, begun, places[0])

    def _note_rows(self, cursor: Cursor, saved: target.Catalogue, plan: Plan) -> None:
        """What would keep a real import from beginning."""
        real = [replace(move, schema=saved.schema) for move in plan.moves if not move.is_kept]
        try:
            prepare.require_empty(cursor, saved, replace(plan, moves=tuple(real), legacy=LEGACY))
        except prepare.TargetNotEmpty as refused:
            self._remarks.append(f"a real import would be refused: {refused.detail}")

    def _forget(self, places: tuple[str, str]) -> None:
        if self._connection.closed:
            return
        self._connection.rollback()
        with self._transaction() as cursor:
            for name in places:
                drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")
                cursor.execute(drop.format(sql.Identifier(name)))

    def _carry_out(self, job: "_Job") -> Report:
        count = self._load(job)
        self._require_none_refused(job)
        self._rebuild(job)
        self._require_none_refused(job)
        self._settle(job)
        proof = self._prove(job)
        if self._options.is_dry_run:
            self._remarks.append(self._expected(job))
            job, proof = self._as_if(job, proof)
        report = self._report(job, count, proof)
        if proof.is_equal and not self._options.is_dry_run:
            with self._transaction() as cursor:
                state.end(cursor, LEGACY)
                history.keep(cursor, LEGACY, job.chosen.fingerprint, report)
            job.chosen.forget()
        return report

    def _load(self, job: "_Job") -> int:
        plan = job.state.plan
        connection = job.chosen.source.connection
        connection.text_factory = str
        parts = [
            part
            for number, move in enumerate(plan.moves)
            for part in rows.parts(connection, number, move, PART_ROWS)
        ]
        with self._transaction() as cursor:
            done = state.parts(cursor, plan.legacy)
        left = [part for part in parts if (part.move, part.number) not in done]
        total = sum(move.rows for move in plan.moves)
        with self._phase("loading", total, "rows"):
            self._progress.advance(sum(done.values()))
            checks = {name: one.checks for name, one in job.state.saved.tables.items()}
            task = Task(plan, job.state.run, checks, self._options.dsn, self._path(job))
            # Large tables first, so that no process waits for one at the end.
            left.sort(key=lambda part: -plan.moves[part.move].rows)
            for _, loaded in job.chosen.workers.load(task, left):
                self._progress.advance(loaded.read)
        job.chosen.workers.close()
        return total

    def _path(self, job: "_Job") -> tuple[str, ...]:
        # Types of the target's own are in its own schema, also while another one is filled.
        return tuple(dict.fromkeys((job.into, self._options.schema)))

    def _rebuild(self, job: "_Job") -> None:
        with connections.opened(self._options.dsn, self._path(job)) as connection:
            rebuilder = Rebuilder(
                plan=job.state.plan,
                saved=job.state.saved,
                into=job.into,
                dsn=self._options.dsn,
                search_path=self._path(job),
                jobs=self._options.jobs,
                file=job.chosen.source.connection,
                database=connection,
            )
            with self._phase("indexes and constraints", rebuilder.steps(), "steps"):
                rebuilder.rebuild(lambda _name: self._progress.advance(1))

    def _settle(self, job: "_Job") -> None:
        plan, saved = job.state.plan, job.state.saved
        with self._phase("sequences"), self._transaction() as cursor:
            if not self._options.is_dry_run:
                connection = job.chosen.source.connection
                sequences.advance(cursor, connection, job.found, saved, plan)
            prepare.finish(cursor, replace(saved, schema=job.into), plan)
            if not self._options.is_dry_run:
                prepare.put_back(cursor, saved)
        with self._phase("statistics", len(plan.moves), "tables"):
            self._analyze(job)

    def _analyze(self, job: "_Job") -> None:
        moves = sorted(job.state.plan.moves, key=lambda move: -move.rows)
        with ThreadPoolExecutor(self._options.jobs) as pool:
            for _ in pool.map(self._analyze_one, moves):
                self._progress.advance(1)

    def _analyze_one(self, move: Move) -> None:
        with connections.opened(self._options.dsn, (move.schema,)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("ANALYZE {}").format(state.name(move.schema, move.table)))
            connection.commit()

    def _prove(self, job: "_Job") -> Proof:
        def connect() -> Connection:
            made = psycopg2.connect(self._options.dsn)
            with made.cursor() as cursor:
                names = sql.SQL(", ").join(map(sql.Identifier, self._path(job)))
                cursor.execute(sql.SQL("SET search_path TO {}").format(names))
            made.commit()
            return made

        with self._phase("proof"):
            saved = None if self._options.is_dry_run else job.state.saved
            with job.chosen.unchanged() as file:
                return verify(job.state.plan, file, connect, jobs=self._options.jobs, saved=saved)

    def _expected(self, job: "_Job") -> str:
        names = [(move.schema, move.table) for move in job.state.plan.moves]
        total = 0
        with self._transaction() as cursor:
            for schema_name, table in names:
                place = state.name(schema_name, table).as_string(cursor)
                cursor.execute("SELECT pg_total_relation_size(%s::regclass)", (place,))
                ((size,),) = cursor.fetchall()
                total += size
        return (
            f"the rows and their indexes took {total / 1_000_000:,.0f} MB of PostgreSQL; an "
            f"import needs as much, about as much again for its journal until that is recycled, "
            f"and about the time below"
        )

    def _as_if(self, job: "_Job", proof: Proof) -> tuple["_Job", Proof]:
        """Names of a dry run as those of the import that it stands for."""
        plan = job.state.plan
        real = {job.into: self._options.schema, plan.legacy: LEGACY}
        moves = tuple(replace(move, schema=real[move.schema]) for move in plan.moves)
        tables = tuple(replace(one, schema=real[one.schema]) for one in proof.tables)
        renamed = replace(job.state, plan=replace(plan, moves=moves))
        return replace(job, state=renamed), replace(proof, tables=tables)

    def _require_none_refused(self, job: "_Job") -> None:
        if self._options.on_bad_row == "quarantine":
            return
        plan = job.state.plan
        with self._transaction() as cursor:
            count = quarantine.count(cursor, plan.legacy, plan.quarantined_before)
            first = quarantine.first(cursor, plan.legacy, plan.quarantined_before, 1)
        if not count:
            return
        if not self._options.is_dry_run:
            self._undo(job)
        reason = "".join(f"{one.table} {one.key} {one.column or ''}: {one.reason}" for one in first)
        raise BadRow(
            f"{count} rows can't be stored, the first is {reason}. The target is as it was"
        )

    def _undo(self, job: "_Job") -> None:
        with self._transaction() as cursor:
            prepare.finish(cursor, job.state.saved, job.state.plan)
            prepare.undo(cursor, job.state.plan, job.state.saved)
        self._rebuild(job)
        with self._transaction() as cursor:
            prepare.put_back(cursor, job.state.saved)
            state.end(cursor, LEGACY)
            prepare.forget(cursor, LEGACY)
        job.chosen.forget()

    def _report(self, job: "_Job", rows: int, proof: Proof) -> Report:
        plan = job.state.plan
        with self._transaction() as cursor:
            count = quarantine.count(cursor, plan.legacy, plan.quarantined_before)
            first = quarantine.first(cursor, plan.legacy, plan.quarantined_before)
        self._remarks += [
            f"{table}.{column} isn't in the file: its rows got {expression}"
            for table, column, expression in plan.defaults
        ]
        verdict: Literal["identical", "identical except quarantine", "failed"] = "failed"
        if proof.is_equal:
            verdict = "identical except quarantine" if count else "identical"
        return Report(
            source=str(self._options.source),
            target=self._options.shown,
            is_dry_run=self._options.is_dry_run,
            started_at=self._began.isoformat(timespec="seconds"),
            source_bytes=job.chosen.bytes,
            seconds={name: round(one, 2) for name, one in self._seconds.items()},
            rows_read=rows,
            moves=tuple(_described(move) for move in plan.moves),
            left_out=tuple((one.name, one.kind, one.reason) for one in plan.left_out),
            quarantined=first,
            quarantined_total=count,
            proof=proof,
            remarks=tuple(self._remarks),
            verdict=verdict,
        )

    @contextmanager
    def _phase(self, name: str, total: int = 0, unit: str = "") -> Iterator[None]:
        self._progress.phase(name, total, unit)
        began = time.monotonic()
        yield
        self._seconds[name] = time.monotonic() - began

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with self._connection, self._connection.cursor() as cursor:
            yield cursor


@dataclass(frozen=True)
class _Job:
    """What is loaded from where; `into` is the schema that is filled."""

    chosen: Chosen
    found: catalogue.Catalogue
    state: state.State
    into: str


def comments(found: catalogue.Catalogue, plan: Plan) -> dict[str, str]:
    """What the tables that are kept were in the file, as SQL."""
    whole = {
        move.source for move in plan.moves if move.is_kept and len(plan.of_source(move.source)) == 1
    }
    texts = {}
    for table in found.tables:
        statements = [table.sql, *(one.sql for one in table.indexes if one.sql)]
        lacking = f'-- columns of "{table.name}" that the target lacks\n'
        texts[table.name] = ("" if table.name in whole else lacking) + ";\n".join(statements)
    return texts


def _described(move: Move) -> str:
    names = [
        f"{link.source} -> {link.column.name}"
        + (f" ({link.derivation})" if link.derivation else "")
        for link in move.links
        if link.derivation or link.source != link.column.name
    ]
    changed = f": {', '.join(names)}" if names else ""
    return f"{move.source} -> {move.schema}.{move.table}{changed}"
