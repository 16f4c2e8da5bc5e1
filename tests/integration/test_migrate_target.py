"""What the move reads of the schema that it loads into."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import Integer

from app.db import registry
from app.ops.migrate import target
from app.ops.migrate.target import Catalogue
from tests import databases
from tests.servers import Servers

SCHEMA = """
CREATE SCHEMA "Old Stuff";
SET search_path TO "Old Stuff";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'quote''d');
CREATE DOMAIN short AS varchar(7) NOT NULL;
CREATE TABLE parents (
    id integer GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 10) PRIMARY KEY,
    "Mixed ""Case" char(3),
    total numeric(10, -2),
    price numeric(6, 4),
    any_number numeric,
    mood mood DEFAULT 'ok',
    named short,
    twice integer GENERATED ALWAYS AS (id * 2) STORED,
    UNIQUE (price, total),
    CHECK (total > 0)
);
CREATE TABLE children (
    id bigserial,
    a numeric(6, 4),
    b numeric(10, -2),
    parent_id integer REFERENCES parents ON DELETE CASCADE,
    self_id bigint,
    PRIMARY KEY (id),
    FOREIGN KEY (a, b) REFERENCES parents (price, total)
);
ALTER TABLE children ADD CONSTRAINT itself FOREIGN KEY (self_id) REFERENCES children NOT VALID;
CREATE UNIQUE INDEX partly ON children (lower(a::text)) WHERE b > 1;
CREATE TABLE dropped (gone integer, stays integer);
ALTER TABLE dropped DROP COLUMN gone;
CREATE TABLE measured (at date NOT NULL, n integer) PARTITION BY RANGE (at);
CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX measured_n ON measured (n);
CREATE VIEW seen AS SELECT * FROM parents;
"""


@pytest.fixture
def cursor(servers: Servers) -> Iterator[Cursor]:
    with (
        databases.on_server(servers, databases.READY) as name,
        databases.superuser(servers, name) as connection,
        closing(connection.cursor()) as made,
    ):
        yield made


@pytest.fixture
def odd(cursor: Cursor) -> Catalogue:
    cursor.execute(SCHEMA)
    return target.catalogue(cursor, "Old Stuff")


def test_each_table_is_there_once(odd: Catalogue) -> None:
    assert list(odd.tables) == ["children", "dropped", "measured", "parents"]
    assert [column.name for column in odd.tables["dropped"].columns] == ["stays"]


def test_columns_are_what_they_were_declared_as(odd: Catalogue) -> None:
    columns = {column.name: column for column in odd.tables["parents"].columns}
    assert (columns["id"].type, columns["id"].identity) == ("int4", "always")
    assert not columns["id"].nullable
    mixed = columns['Mixed "Case']
    assert (mixed.type, mixed.length, mixed.nullable) == ("bpchar", 3, True)
    assert (columns["total"].precision, columns["total"].scale) == (10, -2)
    assert (columns["price"].precision, columns["price"].scale) == (6, 4)
    assert (columns["any_number"].precision, columns["any_number"].scale) == (None, None)
    assert (columns["mood"].type, columns["mood"].labels) == ("enum", ("sad", "ok", "quote'd"))
    named = columns["named"]
    assert (named.type, named.length, named.nullable) == ("varchar", 7, False)
    assert (columns["twice"].is_generated, columns["twice"].default) == (True, None)


def test_constraints_and_indexes_are_told_apart(odd: Catalogue) -> None:
    children = odd.tables["children"]
    assert children.primary_key == ("id",)
    keys = {key.name: key for key in children.foreign_keys}
    pair = keys["children_a_b_fkey"]
    assert (pair.columns, pair.refers_to, pair.referred) == (
        ("a", "b"),
        "parents",
        ("price", "total"),
    )
    assert "ON DELETE CASCADE" in keys["children_parent_id_fkey"].definition
    assert (keys["itself"].refers_to, keys["itself"].is_validated) == ("children", False)
    (partly,) = children.indexes
    assert partly.is_unique
    assert "WHERE" in partly.definition
    assert {one.type for one in odd.tables["parents"].constraints} == {
        "primary key",
        "unique",
        "check",
    }
    assert [index.name for index in odd.tables["measured"].indexes] == ["measured_n"]


def test_the_numbers_of_a_column_come_from_a_sequence(odd: Catalogue, cursor: Cursor) -> None:
    (identity,) = odd.tables["parents"].sequences
    assert (identity.column, identity.increment, identity.least) == ("id", 10, 1)
    (serial,) = odd.tables["children"].sequences
    assert (serial.schema, serial.name) == ("Old Stuff", "children_id_seq")
    cursor.execute(f'SELECT nextval(\'"{serial.schema}"."{serial.name}"\')')
    assert cursor.fetchall() == [(1,)]


def test_rows_are_counted_where_there_are_any(odd: Catalogue, cursor: Cursor) -> None:
    assert target.count_rows(cursor, odd) == {}
    cursor.execute("INSERT INTO dropped VALUES (1), (2)")
    cursor.execute("INSERT INTO measured VALUES ('2026-05-05', 1)")
    assert target.count_rows(cursor, odd) == {"dropped": 2, "measured": 1}


def test_the_services_own_schema_is_the_metadata(cursor: Cursor) -> None:
    found = target.catalogue(cursor)
    expected = registry.metadata.tables
    assert found.tables.keys() == expected.keys() | {"alembic_version"}
    for name, table in expected.items():
        read = found.tables[name]
        assert {column.name for column in read.columns} == {column.name for column in table.columns}
        nullable = {column.name for column in table.columns if column.nullable}
        assert {column.name for column in read.columns if column.nullable} == nullable
        assert set(read.primary_key) == {column.name for column in table.primary_key}
        assert len(read.foreign_keys) == len(table.foreign_key_constraints)
        numbered = {
            column.name
            for column in table.columns
            if column.identity and isinstance(column.type, Integer)
        }
        assert {sequence.column for sequence in read.sequences} >= numbered


def test_tables_come_after_those_that_they_refer_to(cursor: Cursor) -> None:
    found = target.catalogue(cursor)
    order = target.in_load_order(found)
    place = {name: at for at, group in enumerate(order) for name in group}
    assert place.keys() == found.tables.keys()
    assert {len(group) for group in order} == {1}
    for name, table in found.tables.items():
        for key in table.foreign_keys:
            assert key.refers_to
            assert place[key.refers_to] < place[name] or key.refers_to == name


def test_circles_are_loaded_together(cursor: Cursor) -> None:
    cursor.execute(
        """
        CREATE SCHEMA circles; SET search_path TO circles;
        CREATE TABLE a (id int PRIMARY KEY, b int, me int REFERENCES a);
        CREATE TABLE b (id int PRIMARY KEY, c int);
        CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
        ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c;
        CREATE TABLE first (id int PRIMARY KEY);
        CREATE TABLE last (a int REFERENCES a, f int REFERENCES first);
        """
    )
    found = target.catalogue(cursor, "circles")
    assert target.in_load_order(found) == [("first",), ("a", "b", "c"), ("last",)]
