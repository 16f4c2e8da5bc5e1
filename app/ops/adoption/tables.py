"""The old tables: in the schema `legacy` of PostgreSQL, where an import has put them, or beside the
new ones in a SQLite file. Columns may lack, values may be of any type, and nothing is indexed."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    MetaData,
    Select,
    String,
    Table,
    TableClause,
    Text,
    cast,
    column,
    func,
    insert,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session

from app.db.session import Database
from app.ops.adoption import values
from app.ops.migrate.plan import LEGACY

DOCUMENTS = "knowledge_documents"
PASSAGES = "document_chunks"
SPACES = "knowledge_spaces"
QUERIES = "knowledge_queries"
FEEDBACK = "query_feedback"
# What has no place in this service.
STAYING = (
    "document_batches",
    "document_versions",
    "document_relationships",
    "child_chunks",
    "chunk_attachments",
    "embeddings",
    "query_templates",
    "evaluation_datasets",
    "evaluation_results",
    "chunk_test_documents",
    "chunk_test_document_chunks",
    "chunk_test_results",
)
NOTES = "adopted_rows"

Row = dict[str, Any]


class Note(NamedTuple):
    """What an old row has become."""

    old_id: int
    new_id: str


class OldTables:
    """Those that there are. Rows are read a page at a time, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.read() as session:
            connection = session.connection()
            self._is_server = connection.dialect.name == "postgresql"
            self._schema = LEGACY if self._is_server else None
            found = inspect(connection)
            there = found.get_table_names(self._schema)
            self._columns = {
                name: {one["name"] for one in found.get_columns(name, self._schema)}
                for name in (DOCUMENTS, PASSAGES, SPACES, QUERIES, FEEDBACK, NOTES, *STAYING)
                if name in there
            }

    def exists(self, name: str) -> bool:
        return name in self._columns

    def count(self, name: str) -> int:
        if name not in self._columns:
            return 0
        with self._looking() as session:
            statement = select(func.count()).select_from(self._table(name))
            return int(session.scalar(statement) or 0)

    def pages(self, name: str, columns: Collection[str], size: int) -> Iterator[list[Row]]:
        """All rows in the order of their ids. Raises Unavailable."""
        after = None
        while name in self._columns:
            statement = self._select(name, columns).order_by(column("id")).limit(size)
            if after is not None:
                statement = statement.where(column("id") > after)
            rows = self._rows(statement, columns)
            if not rows:
                return
            yield rows
            after = rows[-1]["id"]

    def of(
        self, name: str, key: str, wanted: Collection[int], columns: Collection[str]
    ) -> dict[int, list[Row]]:
        """The rows whose `key` is one of some numbers. Raises Unavailable."""
        found: dict[int, list[Row]] = {one: [] for one in wanted}
        if key not in self._columns.get(name, set()):
            return found
        # Where one of the values is no number, PostgreSQL has them all as texts.
        compared = cast(column(key), Text) if self._is_server else column(key)
        listed = [str(one) for one in wanted] if self._is_server else list(wanted)
        statement = self._select(name, {key, *columns}).where(compared.in_(listed))
        for row in self._rows(statement, {key, *columns}):
            owner = values.whole(row[key])
            if owner in found:
                found[owner].append(row)
        return found

    def ensure_notes(self) -> None:
        """Makes the table that says what was taken over."""
        made = self._notes()
        with self._database.begin() as session:
            made.create(session.connection(), checkfirst=True)
        self._columns[NOTES] = {one.name for one in made.columns}

    def noted(self, name: str, ids: Collection[int]) -> set[int]:
        """Which of the rows of an old table were taken over."""
        if NOTES not in self._columns:
            return set()
        made = self._notes()
        statement = select(made.c.old_id).where(made.c.old_table == name, made.c.old_id.in_(ids))
        with self._database.read() as session:
            return {int(one) for one in session.scalars(statement)}

    def note(self, session: Session, name: str, notes: Sequence[Note]) -> None:
        rows = [{"old_table": name, "old_id": one.old_id, "new_id": one.new_id} for one in notes]
        session.execute(insert(self._notes()), rows)

    def _notes(self) -> Table:
        return Table(
            NOTES,
            MetaData(schema=self._schema),
            Column("old_table", String(50), primary_key=True),
            Column("old_id", BigInteger, primary_key=True, autoincrement=False),
            Column("new_id", String(36), nullable=False),
        )

    def _table(self, name: str) -> TableClause:
        return table(name, schema=self._schema)

    def _select(self, name: str, columns: Collection[str]) -> Select[Any]:
        there = self._columns[name].intersection(columns)
        chosen: list[ColumnElement[Any]] = [column(one) for one in sorted(there)]
        return select(*chosen).select_from(self._table(name))

    def _rows(self, statement: Select[Any], columns: Collection[str]) -> list[Row]:
        with self._looking() as session:
            return [
                dict.fromkeys(columns) | dict(row._mapping) for row in session.execute(statement)
            ]

    @contextmanager
    def _looking(self) -> Iterator[Session]:
        if not self._is_server:
            with self._database.read() as session:
                yield session
            return
        # A transaction, for which alone the server lets statements take long: each looks at a table
        # as a whole.
        with self._database.begin() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            yield session
