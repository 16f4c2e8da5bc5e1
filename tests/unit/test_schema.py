"""The models: each table, index and constraint has a reason, and no index does another's work."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Index, Table, UniqueConstraint

from app.db import registry
from tests.places import CHECKOUT

MODELS = sorted((CHECKOUT / "app").glob("*/models.py"))
TABLES = list(registry.metadata.tables.values())
# What costs something at each write, or refuses one.
RULES = {"CheckConstraint", "ForeignKey", "Index", "UniqueConstraint"}
FLAGS = {"index", "unique"}


def unexplained(source: str) -> Iterator[str]:
    """Tables without a docstring, and rules without a comment right above or within them."""
    lines = source.splitlines()
    for table in ast.parse(source).body:
        if not isinstance(table, ast.ClassDef):
            continue
        if not ast.get_docstring(table):
            yield f"{table.lineno}: {table.name} has no docstring"
        for part in _parts(table):
            # The line above it, and its own.
            around = lines[part.lineno - 2 : part.end_lineno]
            is_rule = any(_is_rule(node) for node in ast.walk(part))
            if is_rule and not any(line.strip().startswith("#") for line in around):
                yield f"{part.lineno}: {ast.unparse(part)[:60]}"


def _parts(table: ast.ClassDef) -> Iterator[ast.stmt | ast.expr]:
    """Columns, and what stands in __table_args__."""
    for statement in table.body:
        arguments = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple)
        if arguments:
            assert isinstance(statement, ast.Assign)
            assert isinstance(statement.value, ast.Tuple)
            yield from statement.value.elts
        else:
            yield statement


def _is_rule(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name) and node.func.id in RULES:
        return True
    return any(keyword.arg in FLAGS for keyword in node.keywords)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_every_table_and_rule_has_its_reason_beside_it(path: Path) -> None:
    assert list(unexplained(path.read_text(encoding="utf-8"))) == []


def test_a_rule_without_a_reason_is_seen() -> None:
    source = '''
class Thing(Base):
    """A thing."""

    # Because.
    good: Mapped[int] = mapped_column(unique=True)
    bad: Mapped[int] = mapped_column(ForeignKey("users.id"))
'''
    assert [line.partition(":")[0] for line in unexplained(source)] == ["7"]
    assert list(unexplained("class Thing(Base):\n    pass")) == ["1: Thing has no docstring"]


def keys_of(table: Table) -> list[tuple[str, tuple[str, ...], str]]:
    """What the database keeps sorted for a table: name, columns in order, and the condition."""
    found = [("primary key", tuple(column.name for column in table.primary_key), "")]
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            columns = tuple(column.name for column in constraint.columns)
            found.append((str(constraint.name), columns, ""))
    for index in table.indexes:
        condition = index.dialect_options["postgresql"]["where"]
        columns = tuple(column.name for column in index.columns)
        found.append((str(index.name), columns, "" if condition is None else str(condition)))
    return found


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_index_is_the_beginning_of_another(table: Table) -> None:
    for name, columns, condition in keys_of(table):
        for other, longer, same in keys_of(table):
            redundant = longer[: len(columns)] == columns and condition == same
            assert name == other or not redundant, f"{name} does nothing that {other} doesn't"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_refers_to_others_is_found_by_them(table: Table) -> None:
    """Else each deletion over there reads this whole table."""
    for foreign_key in table.foreign_keys:
        column = foreign_key.parent.name
        leading = [
            name
            for name, columns, condition in keys_of(table)
            if columns[0] == column and condition in {"", f"{column} IS NOT NULL"}
        ]
        assert leading, f"no index begins with {column}"


def test_every_index_has_the_same_condition_on_both_engines() -> None:
    partial = 0
    for table in TABLES:
        for index in table.indexes:
            assert isinstance(index, Index)
            conditions = {
                str(index.dialect_options[engine]["where"]) for engine in ("postgresql", "sqlite")
            }
            assert len(conditions) == 1, index.name
            partial += conditions != {"None"}
    assert partial >= 3
