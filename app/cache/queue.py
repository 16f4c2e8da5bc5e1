"""What the job queue has in Redis, under the names that dramatiq gives it."""

import time
from dataclasses import dataclass

from redis import Redis

from app.cache import client

NAMESPACE = "jobs:queue"
QUEUE = f"{NAMESPACE}:default"
# As long as dramatiq waits until it gives the jobs of a silent worker to others.
SILENT_MS = 60_000


@dataclass(frozen=True)
class Depth:
    waiting: int
    running: int
    # They failed, and are tried again.
    delayed: int
    # They failed for the last time.
    dead: int
    # That were heard of in the last minute.
    workers: int


def depth(redis: Redis) -> Depth:
    """How many jobs there are. Raises RedisUnavailable."""
    heard = int(time.time() * 1000) - SILENT_MS
    with client.strict(), redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(QUEUE)
        # Those that were taken, and aren't done, too.
        pipeline.hlen(f"{QUEUE}.msgs")
        pipeline.hlen(f"{QUEUE}.DQ.msgs")
        pipeline.zcard(f"{QUEUE}.XQ")
        pipeline.zcount(f"{NAMESPACE}:__heartbeats__", heard, "+inf")
        waiting, unfinished, delayed, dead, workers = pipeline.execute()
    return Depth(waiting, max(0, unfinished - waiting), delayed, dead, workers)
