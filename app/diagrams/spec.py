"""What a diagram's spec may hold, so that both engines give back exactly what was saved."""

import json
import math
from collections.abc import Iterator
from typing import Any

DEEPEST = 64
# Beyond this a JavaScript client silently rounds a number.
LARGEST_INTEGER = 2**53 - 1

Spec = dict[str, Any]


class InvalidSpec(ValueError):
    """The message names the place by its JSON path."""


def check(spec: Spec, *, limit_kb: int) -> Spec:
    """Returns the spec unchanged.

    Raises:
        InvalidSpec: too large (as UTF-8 JSON text), too deep, or a value that PostgreSQL or a
            JavaScript client can't hold: NUL, half a surrogate pair, NaN, Infinity, a number
            beyond 2^53 - 1, which PostgreSQL gives back as another integer.
    """
    for path, depth, value in _walk(spec):
        if depth > DEEPEST:
            raise InvalidSpec(f"{path}: nested deeper than {DEEPEST} levels")
        problem = _problem(value)
        if problem:
            raise InvalidSpec(f"{path}: {problem}")
    size = len(json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit_kb * 1024:
        # Rounded up, so that it is never the very number that is allowed.
        raise InvalidSpec(f"$: {-(-size // 1024)} KB of JSON; {limit_kb} KB is the most")
    return spec


def _walk(spec: Spec) -> Iterator[tuple[str, int, object]]:
    # A stack, not recursion: the input decides the depth.
    stack: list[tuple[str, int, object]] = [("$", 1, spec)]
    while stack:
        path, depth, value = stack.pop()
        yield path, depth, value
        if depth > DEEPEST:
            continue
        if isinstance(value, dict):
            for key, inner in value.items():
                yield f"{path}.{_shown(key)}", depth, key
                stack.append((f"{path}.{_shown(key)}", depth + 1, inner))
        elif isinstance(value, list):
            stack += [(f"{path}[{at}]", depth + 1, inner) for at, inner in enumerate(value)]


def _shown(key: str) -> str:
    return key[:60].encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


def _problem(value: object) -> str | None:
    if isinstance(value, str):
        if "\x00" in value:
            return "text must not contain the character NUL"
        if any("\ud800" <= character <= "\udfff" for character in value):
            return "text must not contain half a surrogate pair"
    elif isinstance(value, bool) or value is None:
        return None
    elif isinstance(value, float) and not math.isfinite(value):
        return "a number must be finite"
    elif isinstance(value, int | float) and abs(value) > LARGEST_INTEGER:
        return f"a number may be {LARGEST_INTEGER} at most"
    return None
