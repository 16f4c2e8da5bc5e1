"""One import into a database at a time, also when the one before was killed."""

import time

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.errors import Conflict
from app.ops.migrate import connections

# "MindMove" as eight bytes, which no other program on this database uses.
KEY = int.from_bytes(b"MindMove", "big")
# How long the server may take to notice that an import before has ended.
LEAVES_S = 3.0
# An index that a killed import was making is made to its end, with all its locks, before the server
# looks whether anybody still wants it.
END_OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = %s AND usename = current_user AND datname = current_database()
    AND pid <> pg_backend_pid()
"""


class ImportRunning(Conflict):
    """Another import into this database is running; wait for its end."""


def require(connection: Connection) -> None:
    """Keeps other imports out for as long as the connection is open, and ends what is left of them.

    Raises ImportRunning.
    """
    with connection, connection.cursor() as cursor:
        deadline = time.monotonic() + LEAVES_S
        while not _take(cursor):
            if time.monotonic() > deadline:
                raise ImportRunning
            time.sleep(0.1)
        cursor.execute(END_OTHERS, (connections.PROGRAM,))


def _take(cursor: Cursor) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (KEY,))
    ((taken,),) = cursor.fetchall()
    return bool(taken)
