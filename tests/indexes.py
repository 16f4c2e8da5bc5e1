"""Which indexes the tests have used, as PostgreSQL counts it.

    python -m tests.indexes FILE

says, after a whole run, which ones nothing has ever used, and fails when there are any. Unique
indexes don't count: they are there to refuse.
"""

import os
import sys
from pathlib import Path

from psycopg2.extensions import connection

from app.db.registry import metadata

COUNTED = """
    SELECT indexrelname, idx_scan FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
    WHERE NOT indisunique
"""


def note(database: connection) -> None:
    """Adds what was used in this database to the file that MINDGRAPH_TEST_INDEXES names."""
    kept = os.environ.get("MINDGRAPH_TEST_INDEXES")
    if not kept:
        return
    with database.cursor() as cursor:
        cursor.execute(COUNTED)
        lines = [f"{name} {scans}\n" for name, scans in cursor.fetchall()]
    # One write below the size of a pipe's buffer: tests run side by side.
    with Path(kept).open("a", encoding="utf-8") as file:
        file.write("".join(lines))


def count(path: Path) -> dict[str, int]:
    """How often each index was used."""
    found: dict[str, int] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, scans = line.split()
        found[name] = found.get(name, 0) + int(scans)
    return found


def main(path: Path) -> int:
    present = {index.name for table in metadata.tables.values() for index in table.indexes}
    counted = count(path) if path.exists() else {}
    # Tests of migrations have those of earlier releases as well.
    found = {name: scans for name, scans in counted.items() if name in present}
    unused = sorted(name for name, scans in found.items() if not scans)
    if unused or not found:
        print(f"indexes that no test used: {', '.join(unused) or 'all; none was counted'}")
        return 1
    print(f"indexes: each of {len(found)} was used, {min(found.values())} times at the least")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
