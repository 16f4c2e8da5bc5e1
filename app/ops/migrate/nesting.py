"""JSON of any depth, read without recursion: the json module's reader takes about 900 levels."""

import json
import re
from collections.abc import Callable
from typing import Any

from app.ops.migrate.unstorable import Unstorable

# PostgreSQL reads with recursion as well: 17 takes 14,500 levels with its usual stack of 2 MB. This
# leaves room for servers that need more of it for each.
MOST_LEVELS = 5000
SPACES = re.compile(r"[ \t\n\r]*")

Pairs = list[tuple[str, Any]]
# What reads on from the next character that is no space; None after the last.
Step = Callable[[], Any] | None


def walk(text: str, decoder: json.JSONDecoder, see_pairs: Callable[[Pairs], None]) -> None:
    """Raises what `decoder.decode` would; `see_pairs` gets the keys of each object."""
    walked = _Walk(text, decoder, see_pairs)
    step: Step = walked.value
    while step is not None:
        walked.pass_spaces()
        step = step()


class _Walk:
    def __init__(
        self, text: str, decoder: json.JSONDecoder, see_pairs: Callable[[Pairs], None]
    ) -> None:
        self._text = text
        self._decoder = decoder
        self._see_pairs = see_pairs
        self._at = 0
        # Of each object that is open, the keys so far; None for an array.
        self._open: list[Pairs | None] = []

    def pass_spaces(self) -> None:
        found = SPACES.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def value(self) -> Step:
        if self._take("["):
            self._enter(None)
            return self._first_value
        if self._take("{"):
            self._enter([])
            return self._first_key
        _, self._at = self._decoder.raw_decode(self._text, self._at)
        return self._after

    def _first_value(self) -> Step:
        return self._leave() if self._take("]") else self.value()

    def _first_key(self) -> Step:
        return self._leave() if self._take("}") else self._key()

    def _key(self) -> Step:
        if not self._text.startswith('"', self._at):
            raise self._wrong("Expecting property name enclosed in double quotes")
        key, self._at = self._decoder.raw_decode(self._text, self._at)
        keys = self._open[-1]
        assert keys is not None
        keys.append((key, None))
        return self._colon

    def _colon(self) -> Step:
        if not self._take(":"):
            raise self._wrong("Expecting ':' delimiter")
        return self.value

    def _after(self) -> Step:
        if not self._open:
            if self._at < len(self._text):
                raise self._wrong("Extra data")
            return None
        keys = self._open[-1]
        if self._take(","):
            return self.value if keys is None else self._key
        if not self._take("]" if keys is None else "}"):
            raise self._wrong("Expecting ',' delimiter")
        return self._leave()

    def _enter(self, keys: Pairs | None) -> None:
        if len(self._open) == MOST_LEVELS:
            raise Unstorable(f"JSON nested in more than {MOST_LEVELS} levels")
        self._open.append(keys)

    def _leave(self) -> Step:
        keys = self._open.pop()
        if keys is not None:
            self._see_pairs(keys)
        return self._after

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += 1
        return True

    def _wrong(self, what: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(what, self._text, self._at)
