"""Single clients that see how long each answer takes, and whether it is a good one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.load.floors import percentile
from benchmarks.load.generator import PATIENCE_S, Request
from tests.servers import HOST


@dataclass
class Watched:
    """What came of the requests so far."""

    good_ms: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """Of the good answers alone, and what there was beside them."""
        ordered = sorted(self.good_ms)
        return {
            "answered": len(ordered),
            "p50_ms": percentile(ordered, 0.5),
            "p95_ms": percentile(ordered, 0.95),
            "p99_ms": percentile(ordered, 0.99),
            "failed": dict(self.failed),
        }


@contextmanager
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"http://{HOST}:{port}", timeout=PATIENCE_S, trust_env=False
    ) as made:
        yield made


def ask(asking: httpx.Client, request: Request, watched: Watched) -> float:
    """How many milliseconds it took, whatever came of it."""
    headers = dict(request.headers)
    if request.body:
        headers["Content-Type"] = "application/json"
    began = time.monotonic()
    try:
        answer = asking.request(
            request.method, request.path, headers=headers, content=request.body or None
        )
        why = "" if answer.is_success else str(answer.status_code)
    except httpx.HTTPError as error:
        why = type(error).__name__
    took_ms = (time.monotonic() - began) * 1e3
    if why:
        watched.failed[why] += 1
    else:
        watched.good_ms.append(took_ms)
    return took_ms


@contextmanager
def watching(port: int, requests: Sequence[Request], clients: int) -> Iterator[Watched]:
    """Clients that ask one thing after the other during the block."""
    watched = Watched()
    over = threading.Event()

    def watch(number: int) -> None:
        with client(port) as asking:
            while not over.is_set():
                ask(asking, requests[number % len(requests)], watched)
                number += clients

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(clients)]
    for one in threads:
        one.start()
    try:
        yield watched
    finally:
        over.set()
        for one in threads:
            one.join()
