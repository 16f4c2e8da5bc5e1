"""Ranks candidates by BM25 where no vectors are, and measures how good a ranking is."""

import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

from app.vectors import sparse


def bm25(
    query_terms: Collection[str],
    documents_terms: Iterable[Iterable[str]],
    document_frequency: Mapping[str, int],
    total: int,
) -> list[float]:
    """The scores, which are those that Qdrant makes of sparse vectors.

    Args:
        query_terms: different ones, of `keywords.of_query`.
        documents_terms: of each candidate those of `keywords.of_passage`.
        document_frequency: in how many passages each term of the query is.
        total: how many passages there are.
    """
    rarity = {term: _idf(document_frequency.get(term, 0), total) for term in query_terms}
    scores = []
    for terms in documents_terms:
        weights = sparse.weights(Counter(terms))
        scores.append(sum(rarity[term] * weights.get(term, 0) for term in rarity))
    return scores


def recall_at(k: int, ranked: Sequence[Hashable], relevant: Collection[Hashable]) -> float:
    """Which part of the relevant ones is among the first `k`; of none, all."""
    wanted = {*relevant}
    return len(wanted & {*ranked[:k]}) / len(wanted) if wanted else 1.0


def reciprocal_rank(ranked: Sequence[Hashable], relevant: Collection[Hashable]) -> float:
    """1 where the first one is relevant, a half where the second is, 0 where none is."""
    places = (1 / at for at, one in enumerate(ranked, start=1) if one in relevant)
    return next(places, 0.0)


def _idf(frequency: int, total: int) -> float:
    # Qdrant's own. Candidates may have been counted a moment after the total.
    frequency = min(frequency, total)
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
