"""Password hashes: argon2id with the library's parameters, RFC 9106 low memory.

bcrypt hashes, from before PostgreSQL, verify as well, until a login replaces them.
"""

from typing import Literal

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher()
# bcrypt never read more, and its library now refuses more.
BCRYPT_BYTES = 72
BCRYPT_PREFIXES = ("$2a$", "$2b$", "$2y$")
# Hashes of passwords that nobody knows, with the cost of everybody's.
NOBODY_ARGON2 = (
    f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}$"
    "cmFuZG9tc2FsdDEyMzQ1Ng$Zm9yIG5vYm9keTsgbmV2ZXIgbWF0Y2hlcyBhbnl0aGk"
)
NOBODY_BCRYPT = "$2b$12$fhkdM.UEuVUsYXK/065uLeY0Iq7yB/BSdQvMOwQFR.PnkawCb82HO"

Kind = Literal["argon2", "bcrypt"]


def make_hash(password: str) -> str:
    """Takes tens of milliseconds and 64 MB: never call it inside a transaction."""
    return HASHER.hash(password)


def matches(password: str, password_hash: str) -> bool:
    """Whether the password has this hash; no password has one that can't be read."""
    kind = _kind(password_hash)
    if kind == "bcrypt":
        return _matches_bcrypt(password, password_hash)
    return kind == "argon2" and _matches_argon2(password, password_hash)


def spend_the_rest(password: str, password_hash: str | None, *, with_bcrypt: bool) -> None:
    """Makes the refusal of a password as slow as that of any other.

    Each costs one verification of argon2, and one of bcrypt as long as anybody has such a hash:
    the time then tells neither whether there is a user nor which kind of hash it is.

    Args:
        password: the refused one.
        password_hash: the hash that it was compared with; None where there is no user.
        with_bcrypt: whether anybody has a bcrypt hash.
    """
    spent = _kind(password_hash or "")
    if spent != "argon2":
        _matches_argon2(password, NOBODY_ARGON2)
    if with_bcrypt and spent != "bcrypt":
        _matches_bcrypt(password, NOBODY_BCRYPT)


def is_outdated(password_hash: str) -> bool:
    """Whether a hash that was just matched is to be replaced by one of today's kind."""
    return _kind(password_hash) != "argon2" or HASHER.check_needs_rehash(password_hash)


def _kind(password_hash: str) -> Kind | None:
    if password_hash.startswith(BCRYPT_PREFIXES):
        return "bcrypt"
    return "argon2" if password_hash.startswith("$argon2") else None


def _matches_argon2(password: str, password_hash: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def _matches_bcrypt(password: str, password_hash: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], password_hash.encode())
    except ValueError:
        # The hash is damaged, or one of the two is no text at all.
        return False
