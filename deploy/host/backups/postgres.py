"""PostgreSQL's part: pgBackRest in the running container, and a point in the write-ahead log."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Collection

from host.backups import manifest
from host.backups.manifest import Database, Point, Table
from host.errors import HostError
from host.stack import ComposeFailed, Stack

SERVICE = "postgres"
SOCKET = "/var/run/postgresql"
ANNOTATION = "mindgraph"
FULL, DIFFERENTIAL = "full", "diff"


# Forgets the lines of gaps before a file of the log, while others may be added.
FORGET = """gaps=$PGDATA.archive-gaps
exec 9>"$gaps.lock"
flock 9
if [ -e "$gaps" ]; then
    awk -v kept="$1" '$2 "" >= kept ""' "$gaps" >"$gaps.new"
    mv "$gaps.new" "$gaps"
fi
if ! [ -s "$gaps" ]; then rm -f "$gaps"; fi"""


class AnotherDatabase(HostError):
    """The repository belongs to another database than the one that runs."""


class Postgres:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def prepare(self, *, new_database: bool = False) -> None:
        """Makes the place in the repository, and ends what a killed run left at work.

        Args:
            new_database: the repository may be another one's; it is this one's from now on.

        Raises:
            AnotherDatabase: nothing was changed.
            HostError: the archive does not take the write-ahead log.
        """
        # A run that was killed below may have stopped all work there.
        self._ask("start")
        self._own(new_database)
        if self.info()["status"]["lock"]["backup"]["held"]:
            self._ask("stop", "--force")
            self._ask("start")
        self.archive_all()

    def _own(self, new_database: bool) -> None:
        try:
            self._ask("stanza-create")
        except ComposeFailed as error:
            if "do not match the database" not in str(error):
                raise
            if not new_database:
                raise AnotherDatabase(
                    "the repository has backups of another database than the one that runs, and"
                    " they would make room for its backups. Does DATA_GENERATION in .env name the"
                    " right volumes? On a new machine: mindgraph restore. If this database is new"
                    " and to be kept: mindgraph backup --full --new-database"
                ) from error
            self._ask("stanza-upgrade")

    def archive_all(self) -> None:
        """Returns when all that is committed now is in the archive. Raises HostError."""
        try:
            self._ask("check")
        except ComposeFailed as error:
            raise HostError(f"the archive does not take the write-ahead log: {error}") from error

    def back_up(self, backup: str, kind: str) -> Database:
        self._ask("backup", f"--type={kind}", f"--annotation={ANNOTATION}={backup}")
        found = [
            one for one in self.backups() if one.get("annotation", {}).get(ANNOTATION) == backup
        ]
        if not found:
            raise HostError("pgBackRest made a backup that it doesn't list; try again")
        one, info = found[0], self.info()
        known = {entry["id"]: entry for entry in info["db"]}[one["database"]["id"]]
        return Database(
            label=one["label"],
            kind=one["type"],
            version=known["version"],
            system=str(known["system-id"]),
            started=_time(one["timestamp"]["start"]),
            finished=_time(one["timestamp"]["stop"]),
            size=one["info"]["size"],
            stored=one["info"]["repository"]["delta"],
        )

    def mark(self, name: str) -> tuple[Point, dict[str, Table]]:
        """Makes a restore point, with the sums of all tables at it, and returns when the archive
        has it."""
        first, *rest = self.stack.run_in(SERVICE, "mindgraph-tables", SOCKET, name).splitlines()
        position, time = first.split("|")
        self.archive_all()
        return Point(name, position, time), manifest.tables(rest)

    def info(self) -> dict[str, Any]:
        said: list[dict[str, Any]] = json.loads(self._ask("info", "--output=json"))
        return said[0]

    def backups(self) -> list[dict[str, Any]]:
        """As pgBackRest lists them, the oldest first; those that failed are not among them."""
        listed: list[dict[str, Any]] = self.info()["backup"]
        return [one for one in listed if not one["error"]]

    def gaps(self) -> list[str]:
        """`TIME FILE` of each file of the log that was given up because the archive failed: a
        restore can't pass it, but for one from a later backup."""
        script = 'cat "$PGDATA.archive-gaps" 2>/dev/null || true'
        return self.stack.run_in(SERVICE, "bash", "-c", script).splitlines()

    def forget_gaps(self, before: str) -> None:
        """`before` is a file of the log; a backup was made that needs none of those before it."""
        self.stack.run_in(SERVICE, "bash", "-c", FORGET, "bash", before)

    def system(self) -> str:
        """The number that tells this database from all others."""
        return self._query("SELECT system_identifier FROM pg_control_system()")

    def position(self) -> str:
        """Up to where the write-ahead log is written."""
        return self._query("SELECT pg_current_wal_insert_lsn()")

    def log_file(self) -> str:
        """The one that the write-ahead log is written to."""
        return self._query("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")

    def is_read_only(self) -> bool:
        """Whether it takes no changes, as its disk is nearly full."""
        said = self._query("SHOW default_transaction_read_only")
        return said == "on"

    def trouble(self) -> str:
        """Why the archive is behind, or nothing."""
        query = """SELECT last_failed_wal || ' could not be archived at ' || last_failed_time
            FROM pg_stat_archiver
            WHERE last_failed_time > coalesce(last_archived_time, '-infinity')"""
        return self._query(query)

    def remove_incomplete(self, whole: Collection[str]) -> None:
        """Those without the rest of a backup, unless what builds on them has it.

        Args:
            whole: the labels of those that have it.
        """
        labels = [one["label"] for one in self.info()["backup"]]
        # What builds on one begins with its label.
        needed = {label for label in labels if any(one.startswith(label) for one in whole)}
        for label in labels:
            if label not in needed and label in {one["label"] for one in self.info()["backup"]}:
                self._ask("expire", f"--set={label}")

    def expire(self, kept: int) -> None:
        """Keeps so many full ones with what builds on them and was archived since."""
        self._ask("expire", f"--repo1-retention-full={kept}")

    def _query(self, query: str) -> str:
        options = ("--no-psqlrc", "--no-align", "--tuples-only", "--dbname=mindgraph")
        return self.stack.run_in(SERVICE, "psql", *options, "--command", query).strip()

    def _ask(self, *arguments: str) -> str:
        return self.stack.run_in(SERVICE, "mindgraph-pgbackrest", *arguments)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
