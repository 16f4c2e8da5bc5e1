"""How fast a corpus of two thousand pages becomes searchable, and how well it is found.

Run it from the checkout on Debian 12, after `make build`: .venv/bin/python -m benchmarks.knowledge
    [--documents N] [--results FILE.json]

A worker as in the stack reads the corpus into a PostgreSQL and a Qdrant of their own; then the
questions are asked in each mode, first those that may be looked at while tuning, then the held-out
ones. Beside it, the embedder alone embeds passages of the same corpus: the limit of any ingestion.
It takes about an hour of both cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import docker
from sqlalchemy import text

from app.knowledge import evaluation
from app.knowledge.evaluation import Quality
from app.knowledge.tools import Tools
from app.ops import knowledge
from app.settings import Settings
from benchmarks.import_sqlite import measure
from benchmarks.knowledge import corpus, packages, questions
from benchmarks.knowledge.corpus import Document, Manifest
from tests import databases, documents
from tests.people import ALICE
from tests.servers import HOST, Run, Servers, this_process

CORPUS = packages.CACHE / "documents"
# Passages that the embedder alone embeds.
SAMPLE = 64
SAMPLE_S = 1.0
SAY_EVERY_S = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.knowledge")
    parser.add_argument("--documents", type=int, help="no more than so many of the corpus")
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    manifest = corpus.collect(CORPUS)
    chosen = list(manifest.documents)[: options.documents]
    with prepared() as (servers, settings), documents.tools(settings) as tools:
        result = ingestion(tools, chosen)
        result["embedder_alone_tokens_per_s"] = embedder_alone(tools)
        result["reindex_s"] = reindex(tools)
        result["containers_mb"] = containers_mb(servers)
        for name, file in (("tuning", questions.TUNING), ("held_out", questions.HELD_OUT)):
            found = evaluation.evaluate(
                documents.searcher(tools), ALICE.id, evaluation.read(file), say_asked
            )
            result[name] = [asdict(one) for one in found]
            say(f"\n{name}\n" + "\n".join(map(line, found)))
    result |= about(manifest, chosen)
    say(json.dumps({k: v for k, v in result.items() if k not in {"tuning", "held_out"}}))
    if options.results:
        options.results.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def prepared() -> Iterator[tuple[Servers, Settings]]:
    """Servers in containers, and settings for a database with people in it."""
    if "MINDGRAPH_TEST_IMAGES" not in os.environ:
        shown = subprocess.run(
            ["docker", "compose", "config", "--format", "json"], check=True, capture_output=True
        )
        image = json.loads(shown.stdout)["services"]["postgres"]["image"]
        os.environ["MINDGRAPH_TEST_IMAGES"] = image.removesuffix("-postgres")
    with tempfile.TemporaryDirectory(prefix="mindgraph-bench-") as folder:
        run = Run(Path(folder), this_process())
        try:
            servers = run.servers(lambda made: databases.prepare_templates(made, Path(folder)))
            with databases.on_server(servers, databases.READY) as name:
                yield (
                    servers,
                    databases.settings_of(
                        servers,
                        name,
                        data_dir=Path(folder) / "data",
                        knowledge_chunk_quota=1_000_000,
                        qdrant_api_key=servers.qdrant_api_key,
                        qdrant_url=f"http://{HOST}:{servers.qdrant_port}",
                        redis_host=HOST,
                        redis_password=servers.redis_password,
                        redis_port=servers.redis_port,
                    ),
                )
        finally:
            run.remove()


def reindex(tools: Tools) -> float:
    """Seconds for a new index of all passages, from the vectors that the database keeps."""
    start = time.monotonic()
    knowledge.reindex(tools, lambda _done, _total: None)
    return round(time.monotonic() - start, 1)


def ingestion(tools: Tools, chosen: list[Document]) -> dict[str, Any]:
    """Uploads the documents, and has a worker take them to where a search finds them."""
    start = time.monotonic()
    for one in chosen:
        documents.add(tools, ALICE.id, (CORPUS / one.name).read_bytes(), one.name)
    uploaded = time.monotonic() - start
    busy = measure.busy_seconds()
    start = time.monotonic()
    with worker(tools.settings) as peak:
        wait(tools)
    seconds = time.monotonic() - start
    with tools.database.read() as session:
        chunks, tokens = session.execute(
            text("SELECT count(*), sum(tokens) FROM knowledge_chunks")
        ).one()
        failed = session.execute(
            text("SELECT error, count(*) FROM knowledge_versions WHERE state = 'failed' GROUP BY 1")
        ).all()
    pages = sum(one.pages for one in chosen)
    return {
        "upload_s": round(uploaded, 1),
        "ingestion_s": round(seconds, 1),
        "cpu_s_of_all": round(measure.busy_seconds() - busy, 1),
        "documents": len(chosen),
        "pages": pages,
        "pages_per_s": round(pages / seconds, 2),
        "chunks": chunks,
        "tokens": tokens,
        "tokens_per_s": round(tokens / seconds, 1),
        "failed": dict(map(tuple, failed)),
        "worker_peak_mb": round(peak() / 1e6),
    }


@contextmanager
def worker(settings: Settings) -> Iterator[Any]:
    """`mindgraph worker` for the block; yields what tells the peak of its memory in bytes."""
    given = settings.model_dump(exclude_unset=True)
    environ = {name.upper(): plain(value) for name, value in given.items()} | {
        "PATH": os.environ["PATH"],
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "app", "worker"]
    peak = 0
    ended = threading.Event()
    with subprocess.Popen(command, env=environ) as process:

        def sample() -> None:
            nonlocal peak
            while not ended.wait(SAMPLE_S):
                peak = max(peak, measure.memory(process.pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            yield lambda: peak
        finally:
            ended.set()
            sampler.join()
            process.terminate()


def plain(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def wait(tools: Tools) -> None:
    """Until no document is on its way."""
    said = 0.0
    statement = text(
        "SELECT count(*) FILTER (WHERE due_at IS NOT NULL), count(*) FROM knowledge_versions"
    )
    while True:
        with tools.database.read() as session:
            left, total = session.execute(statement).one()
        if not left:
            return
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            say(f"{total - left} of {total} documents are ready")
        time.sleep(0.5)


def embedder_alone(tools: Tools) -> float:
    """Tokens a second of the embedder, with as many at a time as the worker embeds."""
    with tools.database.read() as session:
        rows = session.execute(
            text("SELECT content, tokens FROM knowledge_chunks ORDER BY md5(content) LIMIT :n"),
            {"n": SAMPLE},
        ).all()
    embedder = tools.embedders.chosen()
    start = time.monotonic()
    embedder.embed_passages([row.content for row in rows])
    seconds = time.monotonic() - start
    embedder.close()
    return round(float(sum(row.tokens for row in rows)) / seconds, 1)


def containers_mb(servers: Servers) -> dict[str, int]:
    """Memory of PostgreSQL and of Qdrant when all is in."""
    client = docker.from_env()
    found = {}
    for container in client.containers.list():
        for name in ("postgres", "qdrant"):
            ours = str(servers.postgres_port if name == "postgres" else servers.qdrant_port)
            if any(
                binding["HostPort"] == ours
                for bindings in container.ports.values()
                for binding in bindings or []
            ):
                usage = cast("dict[str, Any]", container.stats(stream=False))
                found[name] = round(usage["memory_stats"]["usage"] / 1e6)
    client.close()
    return found


def about(manifest: Manifest, chosen: list[Document]) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "packages": sorted({f"{one.package} {one.version}" for one in chosen}),
        "languages": {
            language: sum(one.pages for one in chosen if one.language == language)
            for language in ("en", "zh")
        },
        "corpus": manifest.selection[:12],
    }


def line(one: Quality) -> str:
    recall = " ".join(f"{one.recall[k]:.3f}" for k in (1, 5, 10))
    return (
        f"{one.group:12} {one.questions:4} {one.mode:9} {recall} {one.mrr:.3f} "
        f"{one.p50_ms:7.1f} {one.p95_ms:7.1f}"
    )


def say(text_: str) -> None:
    sys.stdout.write(f"{text_}\n")
    sys.stdout.flush()


def say_asked(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        say(f"asked {done} of {total}")


if __name__ == "__main__":
    main()
