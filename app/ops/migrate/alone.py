"""One import into a database at a time, also when the one before was killed."""

from psycopg2.extensions import connection as Connection  # noqa: N812

from app.errors import Conflict
from app.ops.migrate import connections

# "MindMove" as eight bytes, which no other program on this database uses.
KEY = int.from_bytes(b"MindMove", "big")
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
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (KEY,))
        ((taken,),) = cursor.fetchall()
        if not taken:
            raise ImportRunning
        cursor.execute(END_OTHERS, (connections.PROGRAM,))
