"""Takes from a vector what all texts of its script have in common.

The vectors of a small multilingual model lie around a point of their own for each language: nearest
to a question is then what is written in its language, rather than what answers it. Without these
points, an answer in the other language is found as well. They were measured once on the corpus of
`make bench-knowledge`, passages and questions apart, as the model sees them apart.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from app import words
from app.embedders.base import Vector

Kind = Literal["passage", "query"]

# Two kinds, two scripts (unspaced, as Chinese is, and others), the dimensions.
MEASURED = Path(__file__).with_name("centres.npy")
# A character of an unspaced script says as much as so many letters.
LETTERS = 3


class Centres:
    def __init__(self) -> None:
        passage, query = np.load(MEASURED)
        self._of: dict[Kind, Vector] = {"passage": passage, "query": query}

    def remove(self, vector: Vector, text: str, kind: Kind) -> Vector:
        """The vector without its centre, of length 1 again."""
        unspaced, other = self._of[kind]
        share = unspaced_share(text)
        found = vector - (share * unspaced + (1 - share) * other)
        length = float(np.linalg.norm(found))
        # As good as never: a text that is nothing but what all have in common.
        return vector if length < 1e-6 else (found / length).astype(np.float32)


def unspaced_share(text: str) -> float:
    """How much of a text is in a script without spaces, from 0 to 1."""
    letters = sum(map(str.isalpha, text))
    unspaced = len(words.UNSPACED.findall(text))
    if not letters:
        return 0.0
    return LETTERS * unspaced / (LETTERS * unspaced + max(letters - unspaced, 0))
