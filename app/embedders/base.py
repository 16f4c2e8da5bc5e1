from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose dot product says how near their meanings are.

    Every vector is finite and of length 1. Any text may be given: the empty one, and those with
    NUL or lone surrogates. May be used by any number of threads; isn't to be taken across a fork.

    Raises:
        EmbedderUnavailable: it may work later.
        EmbedderMisconfigured: it works when the setting in the message is another.
        EmbedderRefused: it doesn't work with one of these texts.
    """

    @property
    def model(self) -> str:
        """Names what made a vector: those of different models can't be compared."""

    @property
    def dimension(self) -> int:
        """May ask a server for it, the first time."""

    @property
    def most_tokens(self) -> int:
        """A longer text may be refused, or be understood less well."""

    def count_tokens(self, text: str) -> int:
        """At least as many as the model makes of it, and about as many."""

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """Of texts to be found: one row for each, in their order."""

    def embed_query(self, text: str) -> Vector:
        """Of what somebody looks for: of shape (dimension,)."""

    def close(self) -> None: ...
