"""Every key in Redis, and how long it lives. No key is made anywhere else."""

from datetime import timedelta

DIAGRAM_TTL = timedelta(minutes=1)
DIAGRAM_LIST_TTL = timedelta(minutes=5)
DIAGRAM_LIST_VERSION_TTL = timedelta(days=1)
PURGE_TTL = timedelta(hours=1)
RETENTION_TTL = timedelta(days=1)
WORKER_PROOF_TTL = timedelta(minutes=1)


def session(token_hash: str) -> str:
    return f"session:{token_hash}"


def diagram_list_version(user_id: int) -> str:
    return f"diagrams:version:{user_id}"


def diagram_list(user_id: int, version: str, limit: int) -> str:
    return f"diagrams:list:{user_id}:{version}:{limit}"


def lease(copy: str) -> str:
    """Of whoever makes or changes what the copy under this key is of; lives for milliseconds."""
    return f"lease:{copy}"


def rate(rule: str, whose: str) -> str:
    """How much of a rate limit is used up; lives as long as the limit's window."""
    return f"rate:{rule}:{whose}"


def purge() -> str:
    return "jobs:purge"


def retention() -> str:
    return "jobs:retention"


def worker_proof(nonce: str) -> str:
    return f"jobs:proof:{nonce}"
