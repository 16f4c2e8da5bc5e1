"""Measures the points around which the built-in embedder's vectors lie: app/embedders/centres.npy.

Run it from the checkout on Debian 12: .venv/bin/python -m benchmarks.knowledge.centres
It takes some minutes, and writes the file that is committed. Vectors made with another file can't
be compared: give the model another name then (app/embedders/nano.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.embedders import centres
from app.embedders.nano import Nano
from app.knowledge import chunking
from app.knowledge.extraction import sandbox
from app.knowledge.extraction.limits import Limits
from benchmarks.knowledge import corpus, questions
from benchmarks.knowledge.__main__ import CORPUS

# Of each script; the mean of so many is exact to some hundredths of its length.
PASSAGES = 600
UNSPACED, OTHER = 0.7, 0.1


def main() -> None:
    manifest = corpus.collect(CORPUS)
    embedder = Nano(centred=False)
    found: dict[str, list[str]] = {"unspaced": [], "other": []}
    documents = sorted(manifest.documents, key=lambda one: order(one.name))
    for document in documents:
        for text in passages(CORPUS / document.name, embedder):
            script = script_of(text)
            if script and len(found[script]) < PASSAGES:
                found[script].append(text)
        if all(len(texts) == PASSAGES for texts in found.values()):
            break
    asked: dict[str, list[str]] = {"unspaced": [], "other": []}
    for question in questions.read(questions.TUNING):
        if script := script_of(question.question):
            asked[script].append(question.question)
    measured = [
        [embedder.embed_passages(found[script]).mean(axis=0) for script in found],
        [np.mean([embedder.embed_query(one) for one in asked[script]], axis=0) for script in asked],
    ]
    embedder.close()
    np.save(centres.MEASURED, np.array(measured, np.float32))


def passages(path: Path, embedder: Nano) -> Iterator[str]:
    """A few of a document's, so that no document weighs much."""
    extracted = sandbox.extract(path, path.name, Limits())
    chunks = list(chunking.chunk(extracted, embedder.count_tokens))
    for chunk in sorted(chunks, key=lambda one: order(one.content))[:10]:
        yield chunking.embedding_text(extracted.title or path.name, chunk)


def script_of(text: str) -> str | None:
    share = centres.unspaced_share(text)
    if share >= UNSPACED:
        return "unspaced"
    return "other" if share <= OTHER else None


def order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
