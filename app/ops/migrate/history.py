"""Imports that are finished, each with its report: who missed it can still have it."""

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from pydantic import TypeAdapter

from app.ops.migrate.results import Report
from app.ops.migrate.state import at

CREATE = """
CREATE TABLE IF NOT EXISTS {legacy}.import_reports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL,
    report text NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now()
)
"""
INSERT = "INSERT INTO {legacy}.import_reports (fingerprint, report) VALUES (%s, %s)"
SELECT = """
SELECT report FROM {legacy}.import_reports WHERE fingerprint = %s ORDER BY id DESC LIMIT 1
"""

_reports = TypeAdapter(Report)


def keep(cursor: Cursor, legacy: str, fingerprint: str, report: Report) -> None:
    cursor.execute(at(legacy, CREATE))
    cursor.execute(at(legacy, INSERT), (fingerprint, _reports.dump_json(report).decode()))


def find(cursor: Cursor, legacy: str, fingerprint: str) -> Report | None:
    """That of the last import of a file in this state; None when there was none."""
    cursor.execute("SELECT to_regclass(%s)", (f"{legacy}.import_reports",))
    if cursor.fetchall() == [(None,)]:
        return None
    cursor.execute(at(legacy, SELECT), (fingerprint,))
    rows = cursor.fetchall()
    return _reports.validate_json(rows[0][0]) if rows else None
