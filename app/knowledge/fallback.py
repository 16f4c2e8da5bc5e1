"""The search for keywords by the database alone, for the time that Qdrant isn't there.

The index of terms finds the passages that have the rarer of the words, by how much these words say;
of the best of them BM25 is computed exactly.
"""

import math
from collections.abc import Collection

from sqlalchemy.orm import Session

from app import keywords
from app.knowledge import ranking, search_queries
from app.knowledge.search_queries import Passage

MOST_TERMS = 12
# Passages that are looked at, and of these the ones that are ranked by all that they say.
LOOKED_AT = 2_000
RANKED = 100


def search(
    session: Session,
    user_id: int,
    text: str,
    documents: Collection[str] | None,
    limit: int,
) -> list[Passage]:
    """The owner's passages that fit the words best, best first."""
    asked = keywords.of_query(text)
    counts = search_queries.count_with(session, user_id, asked, LOOKED_AT)
    known = sorted((one for one in asked if counts[one]), key=lambda one: counts[one])[:MOST_TERMS]
    if not known:
        return []
    total = max(search_queries.count_chunks(session, user_id), 1)
    weights = {one: math.log1p(total / counts[one]) for one in known}
    best = search_queries.candidates(
        session, user_id, weights, _rarest(known, counts), documents, max(limit, RANKED)
    )
    found = search_queries.passages_by_id(session, user_id, best)
    passages = [found[one] for one in best if one in found]
    scores = ranking.bm25(
        known,
        [list(keywords.of_passage(f"{' '.join(one.headings)} {one.content}")) for one in passages],
        counts,
        total,
    )
    ordered = sorted(
        zip(scores, range(len(passages)), strict=True), key=lambda one: (-one[0], one[1])
    )
    return [passages[at] for _, at in ordered[:limit]]


def _rarest(known: list[str], counts: dict[str, int]) -> list[str]:
    """As many of the rarest terms as bring enough passages; one at the least."""
    chosen: list[str] = []
    brought = 0
    for term in known:
        if chosen and brought + counts[term] > LOOKED_AT:
            break
        chosen.append(term)
        brought += counts[term]
    return chosen
