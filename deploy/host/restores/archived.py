"""Up to where the archive goes, so that a restore that ends before is noticed."""

from __future__ import annotations

import dataclasses
import json

from host import output
from host.backups import checking
from host.backups.choosing import Target
from host.backups.postgres import Postgres
from host.errors import HostError
from host.stack import Stack
from host.toolbox import Toolbox

# A file of the log, as servers have it unless they are made otherwise.
SEGMENT_BYTES = 16 * 1024 * 1024


def flush(stack: Stack, target: Target) -> Target:
    """Archives all that a database which runs has committed until now: then a log that seems to end
    before has a gap. A dead one's log is read from its volume."""
    if target.gaps:
        return target
    postgres = Postgres(stack)
    script = "SELECT pg_current_xact_id()"
    try:
        if postgres.system() != target.manifest.database.system:
            output.complain("the database that runs is not the one of the backup")
            return target
        # A change after the target: recovery to a time ends when it meets a later one.
        stack.run_in("postgres", "psql", "--quiet", "--dbname", "postgres", "--command", script)
        position = postgres.position()
        postgres.archive_all()
    except HostError:
        output.complain("the database or its archive doesn't answer; its volume is read instead")
        return target
    return dataclasses.replace(target, at=None, at_least=position)


def last(toolbox: Toolbox) -> str:
    """Where the last file of the log in the archive begins. Raises Damaged."""
    info = json.loads(checking.pgbackrest(toolbox, "info", "--output=json"))
    segments = [str(one["max"]) for one in info[0]["archive"] if one.get("max")]
    if not segments:
        return ""
    # Its timeline and two halves of its number, of eight digits each.
    segment = max(segments)
    number = (int(segment[8:16], 16) << 32) + int(segment[16:], 16) * SEGMENT_BYTES
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"
