"""Every key in Redis, and how long it lives. No key is made anywhere else."""

from datetime import timedelta

DIAGRAM_LIST_TTL = timedelta(minutes=5)
DIAGRAM_LIST_VERSION_TTL = timedelta(days=1)
PURGE_TTL = timedelta(hours=1)
WORKER_PROOF_TTL = timedelta(minutes=1)


def session(token_hash: str) -> str:
    return f"session:{token_hash}"


def diagram_list_version(user_id: int) -> str:
    return f"diagrams:version:{user_id}"


def diagram_list(user_id: int, version: str, limit: int) -> str:
    return f"diagrams:list:{user_id}:{version}:{limit}"


def purge() -> str:
    return "jobs:purge"


def worker_proof(nonce: str) -> str:
    return f"jobs:proof:{nonce}"
