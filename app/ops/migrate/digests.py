"""Columns of the file as sums that can be compared with the server's, many values at a time.

Usual values go through numpy; a column of a batch with an unusual one is read value by value.
"""

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.ops.migrate import canon, hashes, moments, shown
from app.ops.migrate.hashes import Hashes, Seeds
from app.ops.migrate.plan import PREFIX, Derivation, Link
from app.ops.migrate.shown import Unreadable

# Where rows start from: a number without meaning, as it stands in SQL's bigint.
SEED = -7_046_029_254_386_353_131
# Longer texts are hashed by way of their SHA-256: bytes, and characters of least and most.
LONG = 200
CUT = 40
# Texts of a batch that are worth being read once only.
FEW = 400
# A double holds every whole number below it.
EXACT = 2.0**53

INTEGERS = {"int2", "int4", "int8"}
FLOATS = {"float4", "float8"}
MOMENTS = {"timestamp", "timestamptz"}
DOCUMENTS = {"json", "jsonb"}

Values = Sequence[Any]


class Content(Protocol):
    """A column's values of a batch without its NULLs, ready to be hashed with any seeds."""

    least: Any
    most: Any
    unreadable: int

    def hashes(self, seeds: Seeds) -> Hashes: ...


@dataclass
class Tally:
    """What is known of a column so far. `unreadable` counts values that no copy can have taken."""

    nulls: int = 0
    total: int = 0
    least: Any = None
    most: Any = None
    unreadable: int = 0

    def add(self, other: "Tally") -> None:
        self.nulls += other.nulls
        self.total += other.total
        self.unreadable += other.unreadable
        both = [one for one in (self.least, other.least) if one is not None]
        self.least = min(both, default=None)
        both = [one for one in (self.most, other.most) if one is not None]
        self.most = max(both, default=None)


@dataclass
class Numbers:
    """Whole numbers; `bound` is what binds all their 64 bits, where their hash folds them."""

    values: NDArray[np.int64]
    bound: NDArray[np.int64]
    unreadable: int = 0
    least: Any = field(init=False)
    most: Any = field(init=False)

    def __post_init__(self) -> None:
        self.least, self.most = int(self.values.min()), int(self.values.max())

    def hashes(self, seeds: Seeds) -> Hashes:
        return hashes.of_integers(self.values, seeds ^ self.bound.view(np.uint64))


@dataclass
class Floats:
    values: NDArray[np.float64]
    unreadable: int = 0
    least: Any = field(init=False)
    most: Any = field(init=False)

    def __post_init__(self) -> None:
        # There is no order between the two zeros.
        self.least, self.most = float(self.values.min()) + 0.0, float(self.values.max()) + 0.0

    def hashes(self, seeds: Seeds) -> Hashes:
        """Zeros as text, as the server's hash of numbers doesn't know a zero's sign."""
        hashed = hashes.of_floats(self.values, seeds)
        zeros = np.flatnonzero(self.values == 0)
        if len(zeros):
            signs = np.signbit(self.values[zeros])
            words = np.where(signs, 0x302D, 0x30).astype(np.uint32)[None, :]
            hashed[zeros] = hashes.of_words(words, 1 + signs.astype(np.int64), seeds[zeros])
        return hashed


@dataclass
class Texts:
    words: hashes.Words
    lengths: NDArray[np.int64]
    least: Any
    most: Any
    unreadable: int = 0

    def hashes(self, seeds: Seeds) -> Hashes:
        return hashes.of_words(self.words, self.lengths, seeds)


def reader(link: Link, read_text: Callable[[float], str]) -> Callable[[Values], Content]:
    """How values that are no NULLs are read. `read_text` gives the text of a number that SQLite
    would show."""
    kind = link.column.type
    if kind in INTEGERS:
        return lambda values: _numbers(_whole(values, shown.integer))
    if kind == "bool":
        return _booleans
    if kind in FLOATS:
        return _floats
    if kind in MOMENTS:
        return _moments
    if kind == "date":
        return lambda values: _numbers(_each(values, shown.day))
    if kind == "bytea":
        return _binary
    return _texts(link, read_text)


def seeds(count: int, plus: int = 0) -> Seeds:
    return np.full(count, SEED + plus, dtype=np.int64).view(np.uint64)


def _whole(values: Values, read: Callable[[Any], int]) -> tuple[NDArray[np.int64], int]:
    try:
        # Nothing but whole numbers goes into it.
        return np.frombuffer(array("q", values), dtype=np.int64), 0
    except (TypeError, OverflowError):
        return _each(values, read)


def _each(values: Values, read: Callable[[Any], int]) -> tuple[NDArray[np.int64], int]:
    found, unreadable = _one_by_one(values, read, 0)
    return np.array(found, dtype=np.int64), unreadable


def _one_by_one(values: Values, read: Callable[[Any], Any], instead: Any) -> tuple[list[Any], int]:
    found = []
    unreadable = 0
    for value in values:
        try:
            found.append(read(value))
        except Unreadable:
            found.append(instead)
            unreadable += 1
    return found, unreadable


def _numbers(found: tuple[NDArray[np.int64], int]) -> Content:
    numbers, unreadable = found
    return Numbers(numbers, numbers, unreadable)


def _booleans(values: Values) -> Content:
    numbers, unreadable = _whole(values, shown.boolean)
    if numbers.min() < 0 or numbers.max() > 1:
        numbers, unreadable = _each(values, shown.boolean)
    return Numbers(numbers, numbers, unreadable)


def _floats(values: Values) -> Content:
    try:
        numbers = np.frombuffer(array("d", values), dtype=np.float64)
        unreadable = 0
        # array takes whole numbers as well, and rounds those that are large.
        rounded = np.abs(numbers).max() >= EXACT and any(type(one) is int for one in values)
    except (TypeError, OverflowError):
        rounded = True
    if rounded:
        found, unreadable = _one_by_one(values, shown.double, 0.0)
        numbers = np.array(found, dtype=np.float64)
    return Floats(numbers, unreadable)


def _moments(values: Values) -> Content:
    numbers, left = moments.read(values)
    unreadable = 0
    if len(left):
        rest, unreadable = _each([values[at] for at in left], shown.moment)
        numbers[left] = rest
    return Numbers(numbers, numbers // moments.DAY, unreadable)


def _binary(values: Values) -> Content:
    found, unreadable = _one_by_one(values, _bytes, b"")
    lengths = [len(one) for one in found]
    digests = b"\0".join(map(_sha256, found))
    hashed = _lengths(digests)
    return Texts(_words(digests, hashed), hashed, min(lengths), max(lengths), unreadable)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise Unreadable("no bytes")


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).hexdigest().encode()


def _texts(link: Link, read_text: Callable[[float], str]) -> Callable[[Values], Content]:
    kind = link.column.type
    has_order = kind not in DOCUMENTS
    is_numeric = kind == "numeric"
    convert = _converter(kind, link.derivation, read_text)

    def read(values: Values) -> Content:
        different = set(values) if convert is None else ()
        # A number is never equal to a text, so that those are texts if these are.
        if 0 < len(different) <= FEW and set(map(type, different)) == {str}:
            return _repeated(read_different, list(different), values)
        return read_different(values)

    def read_different(values: Values) -> Texts:
        unreadable = 0
        found = list(values)
        if convert is not None or set(map(type, values)) != {str}:
            found, unreadable = _one_by_one(values, convert or _as_text(read_text), "")
        if is_numeric:
            return _numerics(found, unreadable)
        if "\0" in "".join(found):
            # No text of PostgreSQL has it.
            unreadable += sum("\0" in one for one in found)
            found = [one.replace("\0", "") for one in found]
        words, lengths, sizes = _text_words(found)
        if not has_order:
            return Texts(words, lengths, int(sizes.min()), int(sizes.max()), unreadable)
        return Texts(words, lengths, min(found)[:CUT], max(found)[:CUT], unreadable)

    return read


def _repeated(read: Callable[[Values], Texts], different: list[str], values: Values) -> Content:
    """A column that says a few texts again and again, each of which is read once."""
    if any("\0" in one for one in different):
        return read(values)
    texts = read(different)
    places = {text: at for at, text in enumerate(different)}
    chosen = np.fromiter(map(places.__getitem__, values), dtype=np.intp, count=len(values))
    return Texts(texts.words[:, chosen], texts.lengths[chosen], texts.least, texts.most)


def _numerics(found: list[Any], unreadable: int) -> Texts:
    numbers = [one or Decimal(0) for one in found]
    words, lengths, _ = _text_words([shown.numeric(one) for one in numbers])
    return Texts(words, lengths, min(numbers), max(numbers), unreadable)


def _converter(
    kind: str, derivation: Derivation, read_text: Callable[[float], str]
) -> Callable[[Any], Any] | None:
    """What makes of a value what the server shows; None where that is the text itself."""
    as_text = _as_text(read_text)
    if derivation == "sha256":
        return lambda value: _sha256(as_text(value).encode()).decode()
    if derivation == "prefix":
        return lambda value: as_text(value)[:PREFIX]
    converters: dict[str, Callable[[Any], Any]] = {
        "json": _document,
        "jsonb": lambda value: canon.canonical(_document(value)),
        "numeric": shown.decimal,
        "time": shown.clock,
        "uuid": shown.uuid,
    }
    return converters.get(kind)


def _as_text(read_text: Callable[[float], str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if isinstance(value, bytes):
            raise Unreadable("no text")
        return read_text(value) if isinstance(value, float) else str(value)

    return convert


def _document(value: Any) -> str:
    if isinstance(value, bytes):
        raise Unreadable("no JSON")
    return value if isinstance(value, str) else repr(value)


def _text_words(
    texts: list[str],
) -> tuple[hashes.Words, NDArray[np.int64], NDArray[np.int64]]:
    """The words to hash, their lengths, and the lengths of the texts, in bytes."""
    joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    sizes = _lengths(joined)
    if sizes.max() <= LONG:
        return _words(joined, sizes), sizes, sizes
    short = b"\0".join([_short(one) for one in joined.split(b"\0")])
    lengths = _lengths(short)
    return _words(short, lengths), lengths, sizes


def _short(text: bytes) -> bytes:
    return _sha256(text) if len(text) > LONG else text


def _lengths(joined: bytes) -> NDArray[np.int64]:
    ends = np.flatnonzero(np.frombuffer(joined, dtype=np.uint8) == 0)
    return np.diff(ends, prepend=-1, append=len(joined)) - 1


def _words(joined: bytes, lengths: NDArray[np.int64]) -> hashes.Words:
    """Of texts with NUL between them. There are zeros behind each of them."""
    longest = int(lengths.max())
    width = (longest // hashes.BLOCK + 1) * hashes.BLOCK
    count = len(lengths)
    if lengths.min() < longest:
        padded = np.array(joined.split(b"\0"), dtype=f"S{width}").view(np.uint8)
        return padded.view("<u4").reshape(count, width // 4).T
    padded = np.zeros((count, width), dtype=np.uint8)
    padded[:, : longest + 1] = np.frombuffer(joined + b"\0", dtype=np.uint8).reshape(count, -1)
    return padded.view("<u4").T
