"""The disks that the services keep their data on, as they see them themselves."""

from __future__ import annotations

from typing import Optional

from host.checks.finding import Finding, failure, ok, warning

# Of what, in which service, and where.
VOLUMES = {
    "backups": ("postgres", "/var/lib/pgbackrest"),
    "files": ("app", "/var/lib/mindgraph"),
    "postgres": ("postgres", "/var/lib/postgresql/data"),
    "qdrant": ("qdrant", "/qdrant/storage"),
    "redis": ("redis", "/data"),
}
# As the alerts of docker/metrics have them.
WARN_PART, FAIL_PART = 0.85, 0.95
GB = 1024**3
FIX = "free some (`docker system df`, `docker image prune`), or give it a larger disk"


def command(place: str) -> tuple[str, ...]:
    return ("df", "--block-size=1", "--output=avail,used", place)


def examine(name: str, said: Optional[str]) -> Finding:
    """
    Args:
        name: of the volume.
        said: by the command; None when it failed.
    """
    check = f"disk-{name}"
    try:
        free, used = map(int, (said or "").splitlines()[-1].split())
    except (IndexError, ValueError):
        return warning(check, "its container doesn't tell", f"`docker compose logs {name}`")
    # Without what the system keeps for others, which can be most of a disk.
    size = free + used
    seen = f"{free / GB:.1f} of {size / GB:.1f} GB free"
    if free < size * (1 - FAIL_PART):
        return failure(check, seen, FIX)
    if free < size * (1 - WARN_PART):
        return warning(check, seen, FIX)
    return ok(check, seen)
