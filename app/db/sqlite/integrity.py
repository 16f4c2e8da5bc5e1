"""Finds damage in a database file, and mends indexes, which hold nothing of their own."""

import re
import sqlite3
from dataclasses import dataclass
from typing import Literal

from app.db.sqlite import meanings

# The quick one doesn't compare indexes with their tables.
Check = Literal["quick_check", "integrity_check"]

OF_INDEXES = re.compile(r"row \d+ missing from index |wrong # of entries in index ")
# Rows of old files that later constraints forbid, and what can't be told; neither is damage.
OF_ROWS = re.compile(r"NULL value in |CHECK constraint failed in |unable to validate ")
HEADING = "*** in database"


@dataclass(frozen=True)
class Findings:
    """Lines of SQLite's check, by what they are about; `orphans` refer to rows that are missing."""

    damage: list[str]
    indexes: list[str]
    rows: list[str]
    orphans: int


def look(connection: sqlite3.Connection, check: Check) -> Findings:
    """Raises sqlite3.OperationalError for a file that can't be read at all."""
    lines = _lines(connection, check)
    indexes = [line for line in lines if OF_INDEXES.match(line)]
    rows = [line for line in lines if OF_ROWS.match(line)]
    damage = [line for line in lines if line not in indexes and line not in rows]
    orphans = 0 if damage else len(connection.execute("PRAGMA foreign_key_check").fetchall())
    return Findings(damage, indexes, rows, orphans)


def rebuild_indexes(connection: sqlite3.Connection) -> list[str]:
    """Makes all indexes anew from their tables. What is still wrong, and then nothing changed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("REINDEX")
        found = look(connection, "integrity_check")
        wrong = found.damage + found.indexes
    except sqlite3.DatabaseError as error:
        wrong = [str(error)]
    connection.execute("ROLLBACK" if wrong else "COMMIT")
    return wrong


def _lines(connection: sqlite3.Connection, check: Check) -> list[str]:
    try:
        said = "\n".join(row[0] for row in connection.execute(f"PRAGMA {check}"))
    except sqlite3.DatabaseError as error:
        if meanings.code(error) not in meanings.DAMAGED:
            raise
        said = str(error)
    lines = [line for line in said.split("\n") if not line.startswith(HEADING)]
    return [] if lines == ["ok"] else lines
