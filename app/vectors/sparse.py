"""BM25 as sparse vectors: the product of a query's and a passage's is its score.

A passage's values say how often its terms are in it; how rare a term is among all passages Qdrant
knows itself and multiplies with (the modifier `idf` of the collection).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from app import keywords

# Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), and Lucene's defaults.
K1 = 1.2
B = 0.75
# In words, two of whose characters are one word where no spaces are. About that of a chunk of 220
# tokens, in English and in Chinese. It is fixed: with the true average each new passage would make
# the stored vectors of all others wrong. Chunks are of like size, so that it matters little.
AVERAGE_LENGTH = 170


@dataclass(frozen=True)
class Sparse:
    """Indices are different and ascend."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


def of_passage(text: str) -> Sparse:
    return _sparse(weights(Counter(keywords.of_passage(text))))


def of_query(text: str) -> Sparse:
    """Empty where the text has no letter and no number: it finds nothing."""
    return _sparse(dict.fromkeys(keywords.of_query(text), 1.0))


def weights(counts: Mapping[str, int]) -> dict[str, float]:
    """Of a passage that has these terms so many times."""
    length = sum(count * keywords.words_in(term) for term, count in counts.items())
    half = K1 * (1 - B + B * length / AVERAGE_LENGTH)
    return {term: count * (K1 + 1) / (count + half) for term, count in counts.items()}


def _sparse(weights: Mapping[str, float]) -> Sparse:
    values: dict[int, float] = {}
    for term, weight in weights.items():
        index = _index(term)
        # Two terms with one number are one: among a million they are about a hundred pairs.
        values[index] = max(weight, values.get(index, 0))
    indices = sorted(values)
    return Sparse(tuple(indices), tuple(values[index] for index in indices))


@lru_cache(maxsize=65_536)
def _index(term: str) -> int:
    """The same everywhere and always: unlike `hash`, which differs from process to process."""
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest())
