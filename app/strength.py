"""Whether a secret can be used."""

import re

WEAK_SECRETS = frozenset(
    {"", "admin", "changeme", "mindgraph", "password", "postgres", "redis", "secret", "test"}
)
SHORTEST = 16
FEWEST_CHARACTERS = 5


def is_sendable(key: str) -> bool:
    return key.isascii() and key.isprintable() and key == key.strip()


def is_weak(secret: str) -> bool:
    letters = re.sub(r"[^a-z]+", "", secret.lower())
    return (
        len(secret) < SHORTEST
        or len(set(secret)) < FEWEST_CHARACTERS
        or letters in WEAK_SECRETS - {""}
        or "changeme" in letters
    )
