"""Makes a backup of the whole stack while it serves."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from host.backups import configuration, metrics, vectors
from host.backups.manifest import Manifest, Part
from host.backups.postgres import DIFFERENTIAL, FULL, Postgres
from host.backups.repository import Repository
from host.errors import HostError
from host.operations import Operation
from host.stack import Stack
from host.toolbox import FILES, REDIS, Toolbox

TIME = "%Y%m%dT%H%M%SZ"


def make(work: Operation, kind: str | None, *, new_database: bool = False) -> Manifest:
    """
    Args:
        work: the operation.
        kind: "full", "diff" or None, which is a full one every BACKUP_FULL_DAYS.
        new_database: this one may take over a repository that is another one's.

    Raises:
        HostError: there is no new backup, and all earlier ones are as they were.
    """
    stack, toolbox = work.stack, work.toolbox
    postgres, repository = Postgres(stack), Repository(toolbox)
    repository.prepare()
    postgres.prepare(new_database=new_database)
    # All before it is in the archive or given up by now, and no part of the backup.
    first = postgres.log_file()
    backup = datetime.now(timezone.utc).strftime(TIME)
    database = postgres.back_up(backup, kind or _due(postgres, toolbox))
    point, tables = postgres.mark(f"mindgraph-{backup}")
    # After the point: whatever the database names at the point has been written before, and what
    # it no longer needs is kept for a day.
    parts = {
        FILES: repository.save_files(backup),
        **configuration.save(stack, repository, backup),
    }
    if toolbox.is_bundled("redis"):
        parts[REDIS] = _save_redis(stack, repository, backup)
    index, snapshot = vectors.save(stack, repository, backup, work.journal)
    release = str(toolbox.config["services"]["app"]["image"])
    parts.update(snapshot)
    made = Manifest(backup, toolbox.project, release, database, point, tables, parts, index)
    repository.save_manifest(made)
    postgres.forget_gaps(first)
    _expire(postgres, repository, int(toolbox.settings.get("BACKUP_FULL_KEPT") or 4))
    values = {"time_seconds": round(time.time()), "bytes": made.size}
    metrics.write(toolbox, "backup", values)
    return made


def _due(postgres: Postgres, toolbox: Toolbox) -> str:
    days = int(toolbox.settings.get("BACKUP_FULL_DAYS") or 7)
    oldest = time.time() - timedelta(days=days).total_seconds()
    full = [one for one in postgres.backups() if one["type"] == FULL]
    recent = [one for one in full if one["timestamp"]["stop"] > oldest]
    return DIFFERENTIAL if recent else FULL


def _save_redis(stack: Stack, repository: Repository, backup: str) -> Part:
    dump = stack.start("exec", "--no-TTY", "redis", "mindgraph-redis-dump")
    assert dump.stdout
    assert dump.stderr
    part = repository.save_stream(REDIS, backup, dump.stdout)
    said = dump.stderr.read().decode(errors="replace")
    if dump.wait():
        raise HostError(f"Redis gave no dump: {said[-1000:]}")
    return part


def _expire(postgres: Postgres, repository: Repository, kept_full: int) -> None:
    """Both halves of a backup go together, and what belongs to none, of killed runs. Those first,
    or they would be counted, and whole backups make room for them."""
    postgres.remove_incomplete({one.database.label for one in repository.manifests()})
    postgres.expire(kept_full)
    labels = {one["label"] for one in postgres.backups()}
    kept = {one.id for one in repository.manifests() if one.database.label in labels}
    doomed = [one["id"] for one in repository.snapshots() if not kept & set(one.get("tags") or [])]
    repository.forget(doomed)
