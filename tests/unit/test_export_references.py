import sqlite3
from contextlib import closing

import pytest

from app.ops.migrate import export_references

COLUMNS = [
    "a INTEGER REFERENCES parents",
    "a INTEGER REFERENCES parents (id) NOT NULL DEFAULT 5",
    'a INTEGER CONSTRAINT "a key" REFERENCES "o ) parents" ("i)d") ON DELETE SET NULL CHECK (a)',
    "a INTEGER references [parents](id) on update no action match full not deferrable",
    "a INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED NOT NULL, b",
    "a INTEGER, b TEXT DEFAULT 'REFERENCES x', FOREIGN KEY (a) REFERENCES parents (id)",
    "a, b, CONSTRAINT c FOREIGN KEY (a, b) REFERENCES p (id, b) ON DELETE CASCADE, UNIQUE (a)",
    "a, FOREIGN KEY (a) REFERENCES p, FOREIGN KEY (a) REFERENCES others ON UPDATE SET DEFAULT",
    "a /* REFERENCES */ REFERENCES /* one */ parents -- two\n (id) -- three REFERENCES\n, b",
    '"REFERENCES" INTEGER, [FOREIGN KEY] TEXT REFERENCES parents',
]


def shape(create: str) -> tuple[list[tuple[object, ...]], int, int]:
    """Columns, indexes and foreign keys of the table."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(create)
        pragmas = ("table_xinfo", "index_list", "foreign_key_list")
        columns, indexes, keys = (
            connection.execute(f"PRAGMA {one}(children)").fetchall() for one in pragmas
        )
    return columns, len(indexes), len(keys)


@pytest.mark.parametrize("columns", COLUMNS)
def test_foreign_keys_become_comments_and_all_else_stays(columns: str) -> None:
    create = f"CREATE TABLE children ({columns})"
    before = shape(create)
    assert before[2] > 0
    once = export_references.without(create)
    assert shape(once) == (*before[:2], 0)
    assert export_references.without(once) == once


def test_a_table_without_foreign_keys_is_not_changed() -> None:
    create = (
        "CREATE TABLE \"references\" (a TEXT DEFAULT 'FOREIGN KEY REFERENCES b', my_references)"
    )
    assert export_references.without(create) == create
