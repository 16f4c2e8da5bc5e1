"""Vectors of texts without a model: texts that share words or Chinese bigrams are near."""

import hashlib
import math
import re

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"


def terms(text: str) -> list[str]:
    """Words in small letters, and each two Chinese characters that stand together."""
    found = re.findall(rf"[^\W{HAN}]+", text.lower())
    for run in re.findall(rf"[{HAN}]+", text):
        found += [run[at : at + 2] for at in range(max(len(run) - 1, 1))]
    return found


def vector(text: str, dimension: int) -> list[float]:
    """Of length 1. The same text gives the same one in every process."""
    values = [0.0] * dimension
    # None is without a direction, however its terms cancel each other.
    values[0] = 0.01
    for term in terms(text):
        number = int.from_bytes(hashlib.sha256(term.encode()).digest()[:8])
        values[number % dimension] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]
