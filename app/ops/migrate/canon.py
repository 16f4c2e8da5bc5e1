"""JSON as PostgreSQL's jsonb shows it, from any other text of the same document.

Keys stand in the order of their lengths in UTF-8, then of their bytes, the last of equal ones
alone; there is a space behind each comma and colon; numbers have no exponent and keep zeros at
their end. This is jsonb's own order and form, and nothing of it comes from the copy.
"""

import json
import re
from decimal import Decimal
from typing import Any

from app.ops.migrate.shown import Unreadable

# Stand around a number among texts. They belong to no alphabet; documents with one go the slow way.
MARK = "\ufdd0"
UNMARK = "\ufdd1"
ESCAPED = re.compile(r"\\u[fF][dD][dD][01]")
TOKEN = re.compile(
    r'[ \t\n\r]*(?:(?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)|(?P<sign>[][{},:]))[ \t\n\r]*",
    re.ASCII,
)
# The orders of the keys of objects, which are few.
MOST_ORDERS = 2000

Pairs = list[tuple[str, Any]]
_orders: dict[tuple[str, ...], tuple[str, ...] | None] = {}


def canonical(text: str) -> str:
    """Raises `Unreadable` where the text is no JSON."""
    if MARK in text or UNMARK in text or ESCAPED.search(text):
        return one_by_one(text)
    try:
        shown = _encode(_decoder.decode(text))
    except (RecursionError, ValueError):
        # Too deep for it, or a number with thousands of digits.
        return one_by_one(text)
    return shown.replace(f'"{MARK}', "").replace(f'{UNMARK}"', "")


def number(written: str) -> str:
    if "e" in written or "E" in written:
        value = Decimal(written)
        written = format(value if value else Decimal((value.is_signed(), (0,), _scale(value))), "f")
    # There is no zero with a sign.
    return written[1:] if written[0] == "-" and not written.strip("-0.") else written


def _scale(zero: Decimal) -> int:
    return min(int(zero.as_tuple().exponent), 0)


def _refuse(name: str) -> Any:
    raise Unreadable(name)


def _float(written: str) -> str:
    # Most are shown just as they are written, so that no float need be made of them.
    return f"{MARK}{number(written)}{UNMARK}"


def _in_order(pairs: Pairs) -> dict[str, Any]:
    members = dict(pairs)
    keys = tuple(members)
    order = _orders.get(keys, keys)
    if order is keys:
        order = _order(keys)
    if order is None:
        return members
    return {key: members[key] for key in order}


def _order(keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """None where they are in order."""
    if len(_orders) >= MOST_ORDERS:
        _orders.clear()
    order = tuple(sorted(keys, key=lambda key: (len(_bytes(key)), _bytes(key))))
    _orders[keys] = None if order == keys else order
    return _orders[keys]


def _bytes(text: str) -> bytes:
    # Half a surrogate pair can't be in a jsonb; it is told as a difference, not as an error.
    return text.encode("utf-8", "surrogatepass")


_decoder = json.JSONDecoder(
    object_pairs_hook=_in_order,
    parse_float=_float,
    parse_constant=_refuse,
)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


class _Open:
    """An array or object that isn't closed yet, with what it holds so far."""

    def __init__(self, is_object: bool) -> None:
        self.is_object = is_object
        self.parts: list[str] = []
        self.keys: list[str] = []

    def closed(self) -> str:
        if not self.is_object:
            return f"[{', '.join(self.parts)}]"
        if len(self.keys) != len(self.parts):
            raise Unreadable("no JSON")
        members = dict(zip(self.keys, self.parts, strict=True))
        order = sorted(members, key=lambda key: (len(_bytes(key)), _bytes(key)))
        return "{" + ", ".join(f"{_encode(key)}: {members[key]}" for key in order) + "}"


def one_by_one(text: str) -> str:
    """One token after the other, without recursion."""
    outermost = _Open(is_object=False)
    stack = [outermost]
    at = 0
    before = "["
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise Unreadable("no JSON")
        at = found.end()
        before = _take(stack, found, before)
    if len(stack) != 1 or len(outermost.parts) != 1:
        raise Unreadable("no JSON")
    return outermost.parts[0]


def _take(stack: list[_Open], found: re.Match[str], before: str) -> str:
    """Puts a token in its place. Gives what it is to the next one: a sign, or "" for a value."""
    sign = found["sign"]
    if sign is None:
        return _take_value(stack[-1], _scalar(found), found["text"], before)
    if sign in "[{":
        _require(before in ("[", ",", ":"))
        stack.append(_Open(sign == "{"))
        return sign
    if sign in "]}":
        closed = stack.pop()
        _require(bool(stack) and closed.is_object == (sign == "}") and before in ("", "[", "{"))
        stack[-1].parts.append(closed.closed())
        return ""
    inner = stack[-1]
    # A key has been taken where there is one more of them than of values.
    is_colon = inner.is_object and len(inner.keys) > len(inner.parts)
    _require(before == "" and len(stack) > 1 and (sign == ":") == is_colon)
    return "{," if sign == "," and inner.is_object else sign


def _take_value(inner: _Open, shown: str, text: str | None, before: str) -> str:
    _require(before != "")
    if before in ("{", "{,"):
        _require(text is not None)
        inner.keys.append(json.loads(shown))
    else:
        inner.parts.append(shown)
    return ""


def _scalar(found: re.Match[str]) -> str:
    if found["number"] is not None:
        return number(found["number"])
    if found["text"] is not None:
        try:
            return _encode(json.loads(found["text"]))
        except ValueError as error:
            raise Unreadable("no JSON") from error
    return found["word"]


def _require(right: bool) -> None:
    if not right:
        raise Unreadable("no JSON")
