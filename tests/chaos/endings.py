"""Everything that an import leaves behind in a database, for a comparison."""

import re
from collections import Counter
from dataclasses import dataclass

from psycopg2 import sql

from tests import databases
from tests.servers import Crashing

# What each run makes anew; the quarantine is compared by itself.
OWN = {"import_reports", "import_quarantine", "import_quarantine_values"}
TABLES = """
SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'legacy') ORDER BY 1, 2
"""
ROWS = 'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM {} t'
SEQUENCES = """
SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1
"""
NUMBERS = re.compile(r"\d+")
# Without their numbers, which a part that is done again takes anew.
QUARANTINE = """
SELECT q.source_table, q.target_schema, q.target_table, q.source_rowid, q.source_key::text,
    q.column_name, q.reason,
    ARRAY(SELECT (v.column_name, v.type, v.value)::text
        FROM legacy.import_quarantine_values v WHERE v.quarantine_id = q.id ORDER BY 1)
FROM legacy.import_quarantine q ORDER BY 1, 2, 3, 4, 5, 6, 7
"""


@dataclass(frozen=True)
class Ending:
    """`schema` is what pg_dump says, without what differs from call to call."""

    schema: str
    rows: dict[str, tuple[int, str]]
    sequences: dict[str, int]
    quarantine: tuple[tuple[object, ...], ...]

    def reasons(self) -> Counter[tuple[object, object]]:
        """How many rows of which table are in quarantine for what, in so far as rows share it."""
        return Counter((row[0], NUMBERS.sub("N", str(row[6]))) for row in self.quarantine)


def of(server: Crashing, name: str) -> Ending:
    with databases.superuser(server.servers, name) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        rows = {}
        for schema, table in cursor.fetchall():
            if table not in OWN:
                cursor.execute(sql.SQL(ROWS).format(sql.Identifier(schema, table)))
                rows[f"{schema}.{table}"] = cursor.fetchall()[0]
        cursor.execute(SEQUENCES)
        sequences = dict(cursor.fetchall())
        cursor.execute(QUARANTINE)
        quarantine = tuple((*row[:-1], tuple(row[-1])) for row in cursor.fetchall())
    return Ending(_schema(server, name), rows, sequences, quarantine)


def _schema(server: Crashing, name: str) -> str:
    dumped = server.run("pg_dump", "--username", "postgres", "--schema-only", name)
    # A key that pg_dump draws for each call.
    lines = [
        one for one in dumped.splitlines() if not one.startswith(("\\restrict", "\\unrestrict"))
    ]
    return "\n".join(lines)
