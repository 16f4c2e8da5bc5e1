"""The import as a whole: its phases in their order, and how it goes on after an interruption."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app import clock
from app.errors import Conflict
from app.ops.migrate import (
    alone,
    catalogue,
    connections,
    history,
    keeping,
    plans,
    prepare,
    proving,
    quarantine,
    rehearsal,
    rows,
    schema,
    sequences,
    snapshots,
    sources,
    state,
    statistics,
    target,
)
from app.ops.migrate.plan import LEGACY
from app.ops.migrate.plans import Rules
from app.ops.migrate.progress import Progress
from app.ops.migrate.rebuild import Rebuilder
from app.ops.migrate.results import Proof, Report
from app.ops.migrate.sources import Chosen
from app.ops.migrate.workers import Task

# Rows of a part: small enough that one that is done again costs little.
PART_ROWS = 25_000


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
    with (
        connections.explained(),
        connections.opened(options.dsn, (options.schema,)) as connection,
    ):
        alone.require(connection)
        rehearsal.forget(connection)
        return _Import(options, progress, connection).run()


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
        if interrupted is None:
            # For a wrong name the target shall not be prepared.
            sources.require(options.source)
        self._initialize()
        if options.is_dry_run:
            return self._rehearse()
        with ExitStack() as stack:
            with self._phase("checking the file"):
                goes_on = interrupted if options.begin == "resume" else None
                chosen = self._chosen(goes_on, stack)
            job = self._prepared(chosen, interrupted)
            return self._carry_out(job)

    def _chosen(self, goes_on: state.State | None, stack: ExitStack) -> Chosen:
        options = self._options
        if goes_on:
            return sources.again(options.source, options.shown, goes_on, options.jobs, stack)
        chosen = sources.choose(options.source, options.shown, options.jobs, stack)
        self._remarks += chosen.remarks
        return chosen

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
        if found.is_given_up and self._options.begin == "resume":
            raise state.ImportInterrupted(
                f"the import of {found.source} into this database was given up at a row that can't "
                f"be stored: begin anew by --restart"
            )
        return found

    def _finished(self) -> Report | None:
        path = self._options.source
        with self._transaction() as cursor:
            found = history.find(cursor, LEGACY, sources.fingerprint(path))
        if found:
            # Of an import that was killed when all was done.
            snapshots.remove(sources.place(path, self._options.shown))
        return found

    def _prepared(self, chosen: Chosen, interrupted: state.State | None) -> "_Job":
        with self._phase("planning"):
            found = schema.catalogue(chosen.source.connection)
            if interrupted and self._options.begin == "resume":
                return self._resumed(chosen, found, interrupted)
            try:
                begun = self._begun(chosen, found, interrupted)
            except Exception:
                # Nobody knows of it yet.
                chosen.forget()
                raise
            if interrupted:
                sources.forget(interrupted, chosen)
            return _Job(chosen, found, begun, self._options.schema)

    def _begun(
        self, chosen: Chosen, found: catalogue.Catalogue, interrupted: state.State | None
    ) -> state.State:
        with self._transaction() as cursor:
            saved = (
                interrupted.saved if interrupted else target.require(cursor, self._options.schema)
            )
            plan = plans.make(chosen.source.connection, found, saved, self._options.rules, LEGACY)
            if interrupted:
                prepare.finish(cursor, saved, interrupted.plan)
                prepare.undo(cursor, interrupted.plan, saved)
                state.end(cursor, LEGACY)
            prepare.require_empty(cursor, saved, plan)
            quarantine.make(cursor, plan)
            begun = state.begin(
                cursor,
                str(self._options.source.resolve()),
                chosen.fingerprint,
                (str(chosen.file), chosen.snapshot),
                plan,
                saved,
            )
            prepare.prepare(cursor, saved, plan, keeping.comments(found, plan))
            return begun

    def _resumed(
        self, chosen: Chosen, found: catalogue.Catalogue, interrupted: state.State
    ) -> "_Job":
        with self._transaction() as cursor:
            run_name = state.renew(cursor, LEGACY)
        return _Job(chosen, found, replace(interrupted, run=run_name), self._options.schema)

    def _rehearse(self) -> Report:
        with ExitStack() as stack:
            with self._phase("checking the file"):
                chosen = self._chosen(None, stack)
            stack.callback(rehearsal.forget, self._connection)
            stack.callback(chosen.forget)
            with self._phase("planning"):
                job = self._rehearsed(chosen)
            return self._carry_out(job)

    def _rehearsed(self, chosen: Chosen) -> "_Job":
        into, legacy = rehearsal.PLACES
        found = schema.catalogue(chosen.source.connection)
        with self._transaction() as cursor:
            saved = target.require(cursor, self._options.schema)
            other = replace(saved, schema=into)
            plan = plans.make(chosen.source.connection, found, other, self._options.rules, legacy)
            self._remarks += rehearsal.refusals(cursor, saved, plan)
            prepare.rehearse(cursor, saved, plan, into, keeping.comments(found, plan))
            begun = state.begin(
                cursor, str(chosen.named), chosen.fingerprint, (str(chosen.file), ""), plan, saved
            )
        return _Job(chosen, found, begun, into)

    def _carry_out(self, job: "_Job") -> Report:
        count = self._load(job)
        self._require_none_refused(job)
        self._rebuild(job)
        self._require_none_refused(job)
        self._settle(job)
        proof = self._prove(job)
        if self._options.is_dry_run:
            with self._transaction() as cursor:
                self._remarks.append(rehearsal.expected(cursor, job.state.plan))
            plan, proof = rehearsal.as_if(job.state.plan, proof, self._options.schema)
            job = replace(job, state=replace(job.state, plan=plan))
        report = self._report(job, count, proof)
        if proof.is_equal and not self._options.is_dry_run:
            with self._transaction() as cursor:
                # What a crash of the server takes back can't be made again without the snapshot.
                cursor.execute("SET LOCAL synchronous_commit TO on")
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
        with self._transaction() as cursor:
            # What comes next connects anew, and would not notice that a crash of the server took
            # back the last parts; this connection would not have lived through one.
            state.make_durable(cursor, plan.legacy)
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
            statistics.gather(plan, self._options.dsn, self._options.jobs, self._progress)

    def _prove(self, job: "_Job") -> Proof:
        options = self._options
        saved = None if options.is_dry_run else job.state.saved
        with self._phase("proof"):
            plan, path = job.state.plan, self._path(job)
            return proving.prove(plan, job.chosen, options.dsn, path, options.jobs, saved)

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
            state.give_up(cursor, LEGACY)
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
        if job.chosen.has_changed:
            self._remarks.append(
                f"{self._options.source} has been written to since the import of it began: what "
                f"came later is not in the target"
            )
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
            moves=tuple(move.described() for move in plan.moves),
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
