"""The column type of search terms: a `tsvector` on PostgreSQL, on SQLite text for an FTS5 index.

The text is what PostgreSQL shows of the vector, so that both hold the same, also after a move from
the one to the other. To FTS5's tokenizer its quotes are no part of a term.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Dialect, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine


class Terms(TypeDecorator[list[str]]):
    """Different terms, none of which is empty or holds a space. They are written, never read."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TSVECTOR() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        # The driver makes an array of a list.
        if value is None or dialect.name == "postgresql":
            return value
        return " ".join(_lexeme(one) for one in sorted(value, key=str.encode))

    def bind_expression(self, bindvalue: BindParameter[list[str]]) -> ColumnElement[Any]:
        return StoredTerms(bindvalue)


class StoredTerms(GenericFunction[Any]):
    """Terms as the column stores them."""

    inherit_cache = True
    name = "stored_terms"


@compiles(StoredTerms, "postgresql")
def _vector(element: StoredTerms, compiler: SQLCompiler, **options: Any) -> str:
    # Not to_tsvector: its parser would take the terms apart in its own way.
    return f"array_to_tsvector(CAST({compiler.process(element.clauses, **options)} AS TEXT[]))"


@compiles(StoredTerms, "sqlite")
def _text(element: StoredTerms, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


# Names the owner of a text among its terms. No text has such a term: it begins with a character
# for private use. With it a search looks at no more than one person's rows.
OWNER = "\ue000"


def of_owner(user_id: int) -> str:
    return f"{OWNER}{user_id}"


def as_tsquery(terms: Iterable[str], prefixes: Iterable[str]) -> str:
    """All of these, as PostgreSQL reads a query."""
    return " & ".join([*map(_lexeme, terms), *(f"{_lexeme(one)}:*" for one in prefixes)])


def as_fts_query(terms: Iterable[str], prefixes: Iterable[str]) -> str:
    """All of these, as SQLite's FTS5 reads a query."""
    return " AND ".join([*map(_string, terms), *(f"{_string(one)} *" for one in prefixes)])


def _lexeme(term: str) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _string(term: str) -> str:
    escaped = term.replace('"', '""')
    return f'"{escaped}"'
