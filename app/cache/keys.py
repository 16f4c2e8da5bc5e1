"""Every key in Redis, and how long it lives. No key is made anywhere else."""

from datetime import timedelta

CAPTCHA_TTL = timedelta(minutes=5)
DIAGRAM_TTL = timedelta(minutes=1)
DIAGRAM_LIST_TTL = timedelta(minutes=5)
CHECK_TTL = timedelta(days=1)
CLEANING_TTL = timedelta(hours=1)
INGESTION_TTL = timedelta(seconds=1)
INDEX_TTL = timedelta(hours=1)
LOGIN_FAILURES_TTL = timedelta(days=1)
ORGANIZATION_TTL = timedelta(minutes=5)
PURGE_TTL = timedelta(hours=1)
USER_TTL = timedelta(minutes=5)
RETENTION_TTL = timedelta(days=1)
WORKER_PROOF_TTL = timedelta(minutes=1)


def session(token_hash: str) -> str:
    return f"session:{token_hash}"


# What every key of a session matches, and no other.
SESSIONS = "session:*"


def sessions_of(user_id: int) -> str:
    return f"sessions:{user_id}"


def captcha(captcha_id: str) -> str:
    return f"captcha:{captcha_id}"


def login_failures(login_hash: str) -> str:
    return f"login:failures:{login_hash}"


def login_lock(login_hash: str) -> str:
    return f"login:lock:{login_hash}"


def diagram_list(user_id: int) -> str:
    return f"diagrams:list:{user_id}"


def diagram(user_id: int, diagram_id: str) -> str:
    return f"diagrams:one:{user_id}:{diagram_id}"


def user(user_id: int) -> str:
    return f"users:{user_id}"


# What stands before the id, for scripts that find the id themselves.
ORGANIZATIONS = "organizations:"


def organization(organization_id: int) -> str:
    return f"{ORGANIZATIONS}{organization_id}"


def lease(copy: str) -> str:
    """Of whoever makes or changes what the copy under this key is of; lives for milliseconds."""
    return f"lease:{copy}"


def rate(rule: str, whose: str) -> str:
    """How much of a rate limit is used up; lives as long as the limit's window."""
    return f"rate:{rule}:{whose}"


def check() -> str:
    return "jobs:check"


def cleaning() -> str:
    return "jobs:cleaning"


def ingestion() -> str:
    """Lives while a hint to look for documents is on its way."""
    return "jobs:ingestion"


def index() -> str:
    return "jobs:index"


def purge() -> str:
    return "jobs:purge"


def retention() -> str:
    return "jobs:retention"


def worker_proof(nonce: str) -> str:
    return f"jobs:proof:{nonce}"
