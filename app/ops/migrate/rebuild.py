"""Puts constraints and indexes back after the rows: each as it was, over rows that it accepts.

What is there already, made before an interruption, stays. Each step commits by itself.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import connections, state, target, threads
from app.ops.migrate.plan import Move, Plan
from app.ops.migrate.violations import Violations

Said = Callable[[str], None]
# So the server writes the index of a partitioned table, which would then have no parts.
ONLY = " ON ONLY "


@dataclass(frozen=True)
class Building:
    """An index, and what becomes of it: itself, or a constraint that stands on it."""

    move: Move
    name: str
    statement: str
    constraint: target.Constraint | None = None


@dataclass(frozen=True)
class Rebuilder:
    """Works over its own connection to the target, and over `jobs` others for what takes long.

    `into` is the schema that is being filled, `saved` what belongs there.
    """

    plan: Plan
    saved: target.Catalogue
    into: str
    dsn: str
    search_path: tuple[str, ...]
    jobs: int
    file: sqlite3.Connection
    database: Connection

    def rebuild(self, done: Said) -> None:
        """Everything but foreign keys of tables that no row went to stays as it is.

        Raises:
            psycopg2.Error: what can't be put right by moving rows to quarantine.
        """
        self._indexes(done)
        ForeignKeys(self).rebuild(done)

    def violations(self) -> Violations:
        return Violations(self.plan, self.file, self.database)

    def steps(self) -> int:
        """How many times `rebuild` says that something is done."""
        keys = sum(len(table.foreign_keys) for table in self.saved.tables.values())
        return len(list(self._buildings())) + keys

    def existing(self) -> target.Catalogue:
        with self.database.cursor() as cursor:
            found = target.catalogue(cursor, self.into)
        self.database.commit()
        return found

    def run(self, statements: Sequence[str]) -> None:
        """In one transaction, over a connection of its own: for threads."""
        with connections.opened(self.dsn, self.search_path) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            connection.commit()

    def _moves(self) -> list[Move]:
        # Large ones first, so that no process waits for one at the end.
        chosen = [move for move in self.plan.moves if not move.is_kept]
        return sorted(chosen, key=lambda move: -move.rows)

    def _indexes(self, done: Said) -> None:
        buildings = list(self._buildings())
        refused = []
        with threads.pool(self.jobs) as pool:
            tries = [(one, pool.submit(self.run, [one.statement])) for one in buildings]
            for building, attempt in tries:
                try:
                    attempt.result()
                except (psycopg2.errors.UniqueViolation, psycopg2.errors.ExclusionViolation):
                    refused.append(building)
                done(f"{building.move.table}: {building.name}")
        # Now that no other index locks a table.
        for building in refused:
            self._deduplicate(building)
        # The last step is short, and locks others out of the table.
        existing = self.existing()
        for move in self._moves():
            self._attach(move, {one.name for one in existing.tables[move.table].constraints})

    def _deduplicate(self, building: Building) -> None:
        self.violations().of_unique(building.move, building.name, building.statement)
        self._execute(building.statement)

    def _buildings(self) -> Iterator[Building]:
        existing = self.existing()
        for move in self._moves():
            table = self.saved.tables[move.table]
            there = existing.tables[move.table]
            names = {one.name for one in there.constraints} | {one.name for one in there.indexes}
            for constraint in table.constraints:
                if constraint.name in names:
                    continue
                if constraint.index and ONLY not in constraint.index:
                    yield Building(move, constraint.name, constraint.index, constraint)
                elif constraint.index or constraint.type == "exclusion":
                    yield Building(move, constraint.name, self._added(move, constraint))
            for index in table.indexes:
                if index.name not in names:
                    statement = index.definition.replace(ONLY, " ON ", 1)
                    yield Building(move, index.name, statement)

    def _added(self, move: Move, constraint: target.Constraint) -> str:
        # Without the schema, as statements for indexes are: it must do for a copy as well.
        made = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
            sql.Identifier(move.table),
            sql.Identifier(constraint.name),
            sql.SQL(constraint.definition),
        )
        return made.as_string(self.database)

    def _attach(self, move: Move, existing: Collection[str]) -> None:
        for constraint in self.saved.tables[move.table].constraints:
            if constraint.index and constraint.name not in existing:
                self._execute(attach(self.into, move.table, constraint).as_string(self.database))

    def _execute(self, statement: str) -> None:
        with self.database.cursor() as cursor:
            cursor.execute(statement)
        self.database.commit()


@dataclass(frozen=True)
class ForeignKeys:
    """First all at once, side by side; where one refers to nothing, again in the order of load."""

    rebuilder: Rebuilder

    def rebuild(self, done: Said) -> None:
        wanted = self._wanted()
        if not wanted:
            return
        connection = self.rebuilder.database
        with connection.cursor() as cursor:
            for table, key in wanted:
                cursor.execute(_unproved(self.rebuilder.into, table, key))
        connection.commit()
        if self._validate(wanted, done):
            return
        # A foreign key that stands already could delete rows behind our backs, also one that was
        # made before an interruption.
        saved = self.rebuilder.saved
        keys = [(name, key) for name, table in saved.tables.items() for key in table.foreign_keys]
        self._drop(keys)
        for group in target.in_load_order(saved):
            self._rebuild_group([pair for pair in keys if pair[0] in group])

    def _wanted(self) -> list[tuple[str, target.Constraint]]:
        existing = self.rebuilder.existing()
        found = []
        for name, table in self.rebuilder.saved.tables.items():
            there = {one.name: one for one in existing.tables[name].foreign_keys}
            for key in table.foreign_keys:
                made = there.get(key.name)
                if made is None or (key.is_validated and not made.is_validated):
                    found.append((name, key))
        self._drop(
            [
                pair
                for pair in found
                if pair[1].name in {one.name for one in existing.tables[pair[0]].foreign_keys}
            ]
        )
        return found

    def _validate(self, wanted: Sequence[tuple[str, target.Constraint]], done: Said) -> bool:
        """Tables side by side, the keys of one in turn: its lock is taken by each."""
        tables = sorted({table for table, _ in wanted})
        with threads.pool(self.rebuilder.jobs) as pool:
            tries = []
            for name in tables:
                keys = [key for table, key in wanted if table == name and key.is_validated]
                statements = [
                    self._text("ALTER TABLE {} VALIDATE CONSTRAINT {}", name, key) for key in keys
                ]
                tries.append((name, len(keys), pool.submit(self.rebuilder.run, statements)))
            is_valid = True
            for name, count, attempt in tries:
                try:
                    attempt.result()
                except psycopg2.errors.ForeignKeyViolation:
                    is_valid = False
                for _ in range(count):
                    done(f"{name}: foreign keys")
        return is_valid

    def _drop(self, keys: Sequence[tuple[str, target.Constraint]]) -> None:
        connection = self.rebuilder.database
        with connection.cursor() as cursor:
            for table, key in keys:
                cursor.execute(
                    self._text("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", table, key)
                )
        connection.commit()

    def _rebuild_group(self, keys: Sequence[tuple[str, target.Constraint]]) -> None:
        moves = {move.table: move for move in self.rebuilder.plan.moves if not move.is_kept}
        violations = self.rebuilder.violations()
        while sum(
            violations.of_foreign_key(moves[table], key)
            for table, key in keys
            if table in moves and key.is_validated
        ):
            # In a circle a row that went was the parent of others.
            self.rebuilder.database.commit()
        with self.rebuilder.database.cursor() as cursor:
            for table, key in keys:
                cursor.execute(add(self.rebuilder.into, table, [key]))
        self.rebuilder.database.commit()

    def _text(self, statement: str, table: str, key: target.Constraint) -> str:
        made = sql.SQL(statement).format(
            state.name(self.rebuilder.into, table), sql.Identifier(key.name)
        )
        return made.as_string(self.rebuilder.database)


def add(schema: str, table: str, constraints: Sequence[target.Constraint]) -> sql.Composed:
    parts = [
        sql.SQL("ADD CONSTRAINT {} {}").format(sql.Identifier(one.name), sql.SQL(one.definition))
        for one in constraints
    ]
    return sql.SQL("ALTER TABLE {} {}").format(state.name(schema, table), sql.SQL(", ").join(parts))


def attach(schema: str, table: str, constraint: target.Constraint) -> sql.Composed:
    """A constraint on an index that is there, with how it is deferred."""
    kind = sql.SQL(constraint.type.upper())
    _, found, deferral = constraint.definition.partition(" DEFERRABLE")
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{}").format(
        state.name(schema, table),
        sql.Identifier(constraint.name),
        kind,
        sql.Identifier(constraint.name),
        sql.SQL(found + deferral),
    )


def _unproved(schema: str, table: str, key: target.Constraint) -> sql.Composed:
    ending = "" if key.definition.endswith(" NOT VALID") else " NOT VALID"
    return sql.SQL("{}{}").format(add(schema, table, [key]), sql.SQL(ending))
