"""What a PostgreSQL tells about itself before it hurts."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, exc, text

from app.ops.doctor import findings
from app.ops.doctor.findings import Finding

MB = 1024 * 1024
# An index is told of when so much of it, and so many bytes, seem to be empty.
BLOAT_PART = 0.5
BLOAT_MB = 50
LONG_TRANSACTION_S = 3_600
# A segment that has waited so long for the archive.
ARCHIVE_LAG_S = 900

COLLATION = """
SELECT datname, datcollversion, pg_database_collation_actual_version(oid)
FROM pg_database WHERE datname = current_database()
"""
# Of columns that have a collation of their own.
OWN_COLLATIONS = """
SELECT DISTINCT format('%I.%I', n.nspname, c.collname)
FROM pg_collation c
JOIN pg_namespace n ON n.oid = c.collnamespace
JOIN pg_attribute a ON a.attcollation = c.oid AND NOT a.attisdropped
JOIN pg_class t ON t.oid = a.attrelid AND t.relkind IN ('r', 'i', 'm', 'p')
WHERE c.collversion <> pg_collation_actual_version(c.oid) ORDER BY 1
"""

# The space that the entries of a B-tree need at 90 % full pages: their keys, of the average width
# that ANALYZE found, in steps of 8 bytes, and 12 bytes around each. Equal keys need less, so this
# rather tells too little. Expressions have no width in pg_stats that this role sees.
BLOAT = """
SELECT i.relname, pg_relation_size(i.oid) AS bytes,
       (i.reltuples * (12 + 8 * ceil(sum(s.avg_width) / 8.0)) / 0.9)::bigint AS needed
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid AND i.reltuples > 0
JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public'
JOIN pg_attribute c ON c.attrelid = i.oid
LEFT JOIN pg_attribute k ON k.attrelid = t.oid AND k.attnum = x.indkey[c.attnum - 1]
LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname
    AND s.attname = k.attname AND NOT s.inherited
GROUP BY i.oid, i.relname, i.reltuples
HAVING count(*) = count(s.avg_width)
ORDER BY 2 DESC
"""

# `since` and the state of another role's are told only to who may read all statistics.
TRANSACTIONS = """
SELECT pid::text AS who, usename AS role, coalesce(state, 'unknown') AS state,
       extract(epoch FROM now() - xact_start)::int AS age_s
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND xact_start IS NOT NULL
UNION ALL
SELECT gid, owner, 'prepared', extract(epoch FROM now() - prepared)::int
FROM pg_prepared_xacts WHERE database = current_database()
ORDER BY 4 DESC
"""

ARCHIVER = """
SELECT archived_count, failed_count, extract(epoch FROM now() - last_archived_time)::int AS age_s,
       coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS fails
FROM pg_stat_archiver
"""

MAY_LIST = "SELECT has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE')"
WAITING = """
SELECT count(*) AS files, extract(epoch FROM now() - min(modification))::int AS age_s
FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
"""


def examine(direct: Engine, *, production: bool) -> list[Finding]:
    """
    Args:
        direct: past a pooler, as the owner, who may see what all roles do.
    """
    looks: dict[str, Callable[[Connection], Finding]] = {
        "collation": collation,
        "index-bloat": bloat,
        "transactions": transactions,
        "archive": lambda connection: archive(connection, production=production),
    }
    return [_look(direct, check, look) for check, look in looks.items()]


def _look(direct: Engine, check: str, look: Callable[[Connection], Finding]) -> Finding:
    try:
        with direct.connect().execution_options(read_only=True) as connection:
            return look(connection)
    except exc.DBAPIError as error:
        # As a managed server of an old version answers.
        reason = str(error.orig).strip().split("\n")[0]
        fix = "let mindgraph_owner connect, and grant it pg_monitor (db/init does)"
        return findings.warning(check, f"can't be asked: {reason}", fix)


def collation(connection: Connection) -> Finding:
    name, noted, actual = connection.execute(text(COLLATION)).one()
    own = connection.execute(text(OWN_COLLATIONS)).scalars().all()
    if noted == actual and own:
        return findings.warning(
            "collation",
            f"{', '.join(own)} changed since indexes were made with it: they may miss rows",
            f"in `make psql`: REINDEX DATABASE {name}; "
            + " ".join(f"ALTER COLLATION {one} REFRESH VERSION;" for one in own),
        )
    if noted == actual:
        return findings.ok("collation", f"version {actual or 'none'}, as when it was made")
    return findings.warning(
        "collation",
        f"version {actual} of this system, {noted} when the indexes were made: they may miss rows",
        f"in `make psql`: REINDEX DATABASE {name}; "
        f"ALTER DATABASE {name} REFRESH COLLATION VERSION;",
    )


def bloat(connection: Connection, part: float = BLOAT_PART, least_mb: float = BLOAT_MB) -> Finding:
    rows = connection.execute(text(BLOAT)).all()
    wasteful = [
        row for row in rows if row.bytes - row.needed > max(part * row.bytes, least_mb * MB)
    ]
    if not wasteful:
        return findings.ok("index-bloat", f"none of {len(rows)} seems half empty")
    shown = ", ".join(
        f"{row.relname} ({(row.bytes - row.needed) / MB:.0f} of {row.bytes / MB:.0f} MB)"
        for row in wasteful[:3]
    )
    commands = " ".join(f"REINDEX INDEX CONCURRENTLY {row.relname};" for row in wasteful[:3])
    return findings.warning(
        "index-bloat", f"{len(wasteful)} seem mostly empty: {shown}", f"in `make psql`: {commands}"
    )


def transactions(connection: Connection, longest_s: int = LONG_TRANSACTION_S) -> Finding:
    long = [row for row in connection.execute(text(TRANSACTIONS)) if row.age_s >= longest_s]
    if not long:
        return findings.ok("transactions", f"none is open for {_age(longest_s)}")
    oldest = long[0]
    return findings.warning(
        "transactions",
        f"{len(long)} open for long, one of {oldest.role} ({oldest.state}) for "
        f"{_age(oldest.age_s)}: nothing that was deleted meanwhile is cleaned up",
        _ending(oldest),
    )


def _ending(row: Row[Any]) -> str:
    if row.state == "prepared":
        return f"in `make psql`: ROLLBACK PREPARED '{row.who}';"
    return f"in `make psql`: SELECT pg_terminate_backend({row.who});"


def archive(connection: Connection, *, production: bool) -> Finding:
    if connection.scalar(text("SHOW archive_mode")) == "off":
        if production:
            return findings.warning(
                "archive",
                "is off: a restore can only go back to a whole backup",
                "let the stack run its own settings: `make up-prod`",
            )
        return findings.ok("archive", "is off, as in development")
    found = connection.execute(text(ARCHIVER)).one()
    files, lag_s = _waiting(connection)
    last = f"last {_age(found.age_s)} ago" if found.age_s is not None else "none yet"
    seen = f"{found.archived_count} segments, {last}, {files} wait, {found.failed_count} failed"
    fix = "`docker compose logs postgres` says why; room and keys: `mindgraph backups`"
    if found.fails:
        return findings.failure("archive", f"{seen}; the newest try failed", fix)
    if lag_s > ARCHIVE_LAG_S:
        return findings.warning("archive", f"{seen}, one for {_age(lag_s)}", fix)
    return findings.ok("archive", seen)


def _waiting(connection: Connection) -> Sequence[int]:
    """How many segments wait for the archive, and for how many seconds."""
    if not connection.scalar(text(MAY_LIST)):
        return 0, 0
    row = connection.execute(text(WAITING)).one()
    return row.files, row.age_s or 0


def _age(seconds: int) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
