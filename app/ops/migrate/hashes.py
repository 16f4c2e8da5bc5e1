"""PostgreSQL's own 64-bit hashes of many values at once, each with a seed of its own.

They are those of src/common/hashfn.c (Bob Jenkins' lookup3) as a little-endian server computes
them, and so the same as SQL's functions of the names in the docstrings. Seeds and hashes are
arrays of uint64, which SQL shows as bigint with the same bits.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

U4 = np.uint32
U8 = np.uint64
Seeds = NDArray[np.uint64]
Hashes = NDArray[np.uint64]
Words = NDArray[np.uint32]

# What the sources start from, before the length in bytes.
GOLDEN = 0x9E3779B9 + 3923095
BLOCK = 12
MASK = 0xFFFFFFFF
# So many at once stay in the processor's cache.
AT_ONCE = 8192


def of_integers(values: NDArray[np.int64], seeds: Seeds) -> Hashes:
    """`hashint8extended`, and hashint4extended and hashint2extended where values fit."""
    return _in_pieces(_of_integers, values, seeds)


def of_floats(values: NDArray[np.float64], seeds: Seeds) -> Hashes:
    """`hashfloat8extended`; no NaN."""
    raw = values.astype("<f8").view("<u4").reshape(len(values), 2)
    lengths = np.full(len(values), 8, dtype=np.int64)
    hashed = of_words(raw.T, lengths, seeds)
    zero = values == 0
    hashed[zero] = seeds[zero]
    return hashed


def of_words(words: Words, lengths: NDArray[np.int64], seeds: Seeds) -> Hashes:
    """`hashtextextended` with a collation that compares bytes.

    A column of words is a value's bytes, little-endian, with zeros behind them.
    """
    return _in_pieces(_of_words, words.T, lengths, seeds)


def total(hashed: Hashes) -> int:
    """What SQL's sum(bigint) gives."""
    low = int((hashed & U8(MASK)).sum(dtype=U8))
    high = int((hashed >> U8(32)).view(np.int64).sum())
    negative = int((hashed >> U8(63)).sum(dtype=U8))
    return low + (high << 32) - (negative << 64)


def _in_pieces(compute: Callable[..., Hashes], *arrays: NDArray[Any]) -> Hashes:
    count = len(arrays[0])
    if count <= AT_ONCE:
        return compute(*arrays)
    pieces = [
        compute(*(one[at : at + AT_ONCE] for one in arrays)) for at in range(0, count, AT_ONCE)
    ]
    return np.concatenate(pieces)


def _of_integers(values: NDArray[np.int64], seeds: Seeds) -> Hashes:
    raw = values.view(U8)
    low = raw.astype(U4)
    high = (raw >> U8(32)).astype(U4)
    # A value that fits into 32 bits has nothing but its sign in the others.
    folded = low ^ np.where(values >= 0, high, ~high)
    a, b, c = _begin(np.full(len(values), 4, dtype=np.int64), seeds)
    a += folded
    return _final(a, b, c)


def _of_words(words: Words, lengths: NDArray[np.int64], seeds: Seeds) -> Hashes:
    # Their columns are read one after the other.
    columns = np.ascontiguousarray(words.T)
    empty = np.zeros(len(lengths), dtype=U4)
    a, b, c = _begin(lengths, seeds)
    whole = lengths // BLOCK
    least, most = (int(whole.min()), int(whole.max())) if len(whole) else (0, 0)
    for at in range(most + 1):
        x, y, z = (
            columns[one] if one < len(columns) else empty for one in range(3 * at, 3 * at + 3)
        )
        if at < least:
            a += x
            b += y
            c += z
            _mix(a, b, c)
            continue
        _some(whole, at, (a, b, c), (x, y, z))
    return _final(a, b, c)


def _some(
    whole: NDArray[np.int64], at: int, state: tuple[Words, ...], block: tuple[Words, ...]
) -> None:
    """A block that is the last, incomplete one of some values, and one of several of others."""
    last = np.flatnonzero(whole == at)
    a, b, c = state
    x, y, z = block
    a[last] += x[last]
    b[last] += y[last]
    # The lowest byte has been taken by the length.
    c[last] += z[last] << U4(8)
    more = np.flatnonzero(whole > at)
    if len(more):
        d, e, f = a[more] + x[more], b[more] + y[more], c[more] + z[more]
        _mix(d, e, f)
        a[more], b[more], c[more] = d, e, f


def _begin(lengths: NDArray[np.int64], seeds: Seeds) -> tuple[Words, Words, Words]:
    start = (lengths + GOLDEN).astype(U4)
    a = start + (seeds >> U8(32)).astype(U4)
    b = start + seeds.astype(U4)
    c = start.copy()
    _mix(a, b, c)
    if not seeds.all():
        unseeded = seeds == 0
        for state in (a, b, c):
            state[unseeded] = start[unseeded]
    return a, b, c


def _rotate(value: Words, bits: int) -> Words:
    rotated = value << U4(bits)
    rotated |= value >> U4(32 - bits)
    return rotated


def _mix(a: Words, b: Words, c: Words) -> None:
    for bits in (4, 6, 8, 16, 19, 4):
        a -= c
        a ^= _rotate(c, bits)
        c += b
        a, b, c = b, c, a


def _final(a: Words, b: Words, c: Words) -> Hashes:
    for bits in (14, 11, 25, 16, 4, 14, 24):
        c ^= b
        c -= _rotate(b, bits)
        a, b, c = b, c, a
    # After seven turns, b is called a, and c is called b.
    return (a.astype(U8) << U8(32)) | b
