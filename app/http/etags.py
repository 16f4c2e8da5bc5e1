"""Entity tags: what a client has read, so that it replaces nothing that it hasn't seen."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header

# Proxies that compress make a tag weak or put a name behind it; what it begins with is ours.
VERSION = re.compile(r'(?:W/)?"([0-9]{1,10})(?:-[^"]*)?"')
TAG = re.compile(r'(?:W/)?("[^"]*")')

IfMatch = Annotated[
    str | None,
    Header(max_length=1_000, description="The ETag of what was read; `*` for whatever is there."),
]
IfNoneMatch = Annotated[
    str | None,
    Header(max_length=1_000, description="The ETag of what the client has; the same is a 304."),
]


@dataclass(frozen=True)
class Expected:
    """The versions that a client takes to be the current one; None for any."""

    versions: frozenset[int] | None = None

    def allows(self, version: int) -> bool:
        return self.versions is None or version in self.versions


ANY = Expected()


def expected(if_match: str) -> Expected:
    """What an If-Match expects. One that names no version of ours allows none."""
    if if_match.strip() == "*":
        return ANY
    return Expected(frozenset(int(found) for found in VERSION.findall(if_match)))


def has(if_none_match: str | None, etag: str) -> bool:
    """Whether an If-None-Match names this tag."""
    text = if_none_match or ""
    return text.strip() == "*" or etag in TAG.findall(text)
