"""How far a version has come.

    queued -> extracting -> embedding -> indexing -> ready -> replaced
       |          |             |            |
       +----------+-- failed ---+-- cancelled

A worker takes a version from state to state; each transition is one transaction, and each step may
run twice. What a worker that was killed had begun, another one takes up where it stands.
"""

from typing import Literal

State = Literal[
    "queued", "extracting", "embedding", "indexing", "ready", "replaced", "failed", "cancelled"
]

QUEUED: State = "queued"
EXTRACTING: State = "extracting"
EMBEDDING: State = "embedding"
INDEXING: State = "indexing"
READY: State = "ready"
REPLACED: State = "replaced"
FAILED: State = "failed"
CANCELLED: State = "cancelled"

# What a worker still has to do something for.
UNFINISHED: tuple[State, ...] = (QUEUED, EXTRACTING, EMBEDDING, INDEXING)
# What may be tried again.
STOPPED: tuple[State, ...] = (FAILED, CANCELLED)
