"""Password hashes (argon2id with the library's parameters, RFC 9106 low memory)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher()
# The hash of a password that nobody knows, so that an unknown login name takes as long to refuse
# as a wrong password.
NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$cmFuZG9tc2FsdDEyMzQ1Ng$"
    "Zm9yIG5vYm9keTsgbmV2ZXIgbWF0Y2hlcyBhbnl0aGk"
)


def make_hash(password: str) -> str:
    """Takes tens of milliseconds and 64 MB: never call it inside a transaction."""
    return HASHER.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password has this hash; None stands for a user who doesn't exist."""
    try:
        HASHER.verify(password_hash or NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None
