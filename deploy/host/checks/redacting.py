"""What one may show others: no secret, no host, no address, nobody's name."""

from __future__ import annotations

import re
from typing import Iterator, Mapping, Sequence

# What the stack calls its own things says nothing of anybody; nor do numbers and switches.
OWN_NAMES = {"127.0.0.1", "0.0.0.0", "localhost", "compose.yaml", "development", "production"}  # noqa: S104
TOLD = re.compile(r"\d+([kKmMgG][bB]?)?|true|false|[a-z]{2,12}")
# These are words as well.
NEVER_TOLD = re.compile(r"PASSWORD|KEY|SECRET|TOKEN|NAME|USER|EMAIL|HOST|ADDRESS|ORIGINS")
SHORTEST_WORD = 4

PATTERNS = (
    (re.compile(r"\w[\w+.-]*://[^\s'\"`,;]+"), "[address]"),
    (re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+"), "[e-mail]"),
    # No version of a kernel, which may have four parts and goes on with a dash.
    (re.compile(r"(?<![\w.-])(?!127\.|0\.0\.0\.0)\d{1,3}(\.\d{1,3}){3}(?![\w.-])"), "[address]"),
    (
        re.compile(r"(?<![\w:])(?=[\da-f:]*::|([\da-f]+:){7})[\da-f:]{3,}(?![\w:])", re.I),
        "[address]",
    ),
    (re.compile(r"(/home|/Users|/mnt/[a-z]/Users)/[^/\s]+"), r"\1/[name]"),
)


def differing(values: Mapping[str, str], defaults: Mapping[str, str]) -> Iterator[str]:
    """A line for each setting with another value than .env.example has."""
    for name, value in sorted(values.items()):
        if value and value != defaults.get(name, ""):
            is_told = TOLD.fullmatch(value) and not NEVER_TOLD.search(name)
            yield f"{name}={value if is_told else '[set]'}"


def private(values: Mapping[str, str], *more: str) -> list[str]:
    """Words that nobody else shall see; long ones first, which may hold others."""
    found = {value for value in (*values.values(), *more) if not TOLD.fullmatch(value)}
    found |= {value for name, value in values.items() if NEVER_TOLD.search(name)}
    found |= set(more)
    kept = {word for word in found - OWN_NAMES if len(word) >= SHORTEST_WORD}
    return sorted(kept, key=len, reverse=True)


def redact(text: str, words: Sequence[str]) -> str:
    for word in words:
        text = text.replace(word, "[private]")
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text
