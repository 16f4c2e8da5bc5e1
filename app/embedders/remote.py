"""An embedder behind the API of OpenAI, which many servers have."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from app.embedders import texts as clean
from app.embedders.base import Vector
from app.embedders.errors import EmbedderMisconfigured, EmbedderRefused
from app.openai import estimates
from app.openai.endpoint import Endpoint
from app.openai.patience import BACKGROUND, INTERACTIVE, Patience

# What even small models take.
MOST_TOKENS = 512
# Of all texts of one request.
BATCH_TOKENS = 8_000
# Of the time for a query, in any case: somebody waits.
QUERY_S = 10.0
MOST_BYTES = 128 * 1024 * 1024
# In place of nothing, which OpenAI refuses.
BLANK = "."


class Remote:
    def __init__(
        self,
        endpoint: Endpoint,
        *,
        model: str,
        dimension: int | None = None,
        asks_for_dimension: bool = False,
        batch: int,
    ) -> None:
        """
        Args:
            endpoint: the server.
            model: as the server calls it.
            dimension: that vectors must have; None takes that of the first one.
            asks_for_dimension: whether the server is told, which not every model can do with.
            batch: the most texts in one request.
        """
        self._endpoint = endpoint
        self._model = model
        self._dimension = dimension
        self._batch = batch
        self._body: dict[str, Any] = {"model": model, "encoding_format": "float"}
        if asks_for_dimension:
            self._body["dimensions"] = dimension

    @property
    def model(self) -> str:
        return self._model

    @property
    def dimension(self) -> int:
        return self._dimension or len(self.embed_query(BLANK))

    @property
    def most_tokens(self) -> int:
        return MOST_TOKENS

    def count_tokens(self, text: str) -> int:
        return estimates.tokens(text)

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        parts = [self._embed(batch, BACKGROUND) for batch in self._batches(texts)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)

    def embed_query(self, text: str) -> Vector:
        vector: Vector = self._embed([_shown(text)], INTERACTIVE)[0]
        return vector

    def close(self) -> None:
        self._endpoint.close()

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        tokens = 0
        for text in map(_shown, texts):
            more = self.count_tokens(text)
            if batch and (len(batch) == self._batch or tokens + more > BATCH_TOKENS):
                yield batch
                batch, tokens = [], 0
            batch.append(text)
            tokens += more
        if batch:
            yield batch

    def _embed(self, texts: list[str], patience: Patience) -> Vector:
        try:
            return self._ask(texts, patience)
        except EmbedderRefused:
            if len(texts) == 1:
                raise
        # Too many for this server, or one of them is refused: the others are not to suffer.
        middle = len(texts) // 2
        halves = texts[:middle], texts[middle:]
        return np.concatenate([self._embed(half, patience) for half in halves])

    def _ask(self, texts: list[str], patience: Patience) -> Vector:
        return self._endpoint.ask(
            "embeddings",
            {**self._body, "input": texts},
            patience,
            lambda answer: self._read(answer, len(texts)),
            most_bytes=MOST_BYTES,
            timeout_s=QUERY_S if patience is INTERACTIVE else None,
        )

    def _read(self, answer: Any, count: int) -> Vector:
        """Raises ValueError for what can't be used."""
        vectors = _vectors(answer, count)
        with np.errstate(all="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Not a number, too large, or nothing: none of them has a direction.
        if not np.isfinite(lengths).all() or not lengths.all():
            raise ValueError("a vector has no direction")
        if self._dimension is None:
            self._dimension = vectors.shape[1]
        if vectors.shape[1] != self._dimension:
            raise EmbedderMisconfigured(self._wrong_dimension(vectors.shape[1]))
        normal: Vector = (vectors / lengths).astype(np.float32)
        return normal

    def _wrong_dimension(self, found: int) -> str:
        name = "EMBEDDER_DIMENSION" if "dimensions" in self._body else "EMBEDDER_MODEL"
        return f"{name}: {self._dimension} dimensions are expected, the server makes {found}"


def _shown(text: str) -> str:
    return clean.readable(text) if text.strip("\0 \t\r\n") else BLANK


def _vectors(answer: Any, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    try:
        rows = {row.get("index", at): row["embedding"] for at, row in enumerate(answer["data"])}
        vectors = np.array([rows[at] for at in range(count)], np.float64)
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"no embeddings in it ({type(error).__name__})") from error
    if len(answer["data"]) != count or vectors.ndim != 2 or not vectors.shape[1]:
        raise ValueError(f"{len(answer['data'])} embeddings for {count} texts")
    return vectors
