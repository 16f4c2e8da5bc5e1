"""The table at the end of a run: what was tested, by kind, and what it ran on."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests import servers

KINDS = ("unit", "integration", "http", "cli", "migrations", "stack", "chaos")
OUTCOMES = ("passed", "failed", "error", "skipped")
SERVICES = ("postgres", "redis", "qdrant", "app")


def count(stats: dict[str, list[object]]) -> dict[str, Counter[str]]:
    """How many tests of each kind had each outcome."""
    counts: dict[str, Counter[str]] = {}
    for outcome in OUTCOMES:
        for report in stats.get(outcome, []):
            if isinstance(report, pytest.TestReport | pytest.CollectReport):
                counts.setdefault(_kind(report.nodeid), Counter())[outcome] += 1
    return counts


def with_earlier(counts: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Adds what earlier parts of the same run counted, and leaves the sum for the later ones."""
    kept = os.environ.get("MINDGRAPH_TEST_COUNTS")
    if not kept:
        return counts
    path = Path(kept)
    earlier = json.loads(path.read_text() or "{}") if path.exists() else {}
    for kind, outcomes in earlier.items():
        counts[kind] = counts.get(kind, Counter()) + Counter(outcomes)
    path.write_text(json.dumps(counts))
    return counts


def table(counts: dict[str, Counter[str]]) -> Iterable[str]:
    yield f"{'kind':<14}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES)
    known = [kind for kind in KINDS if kind in counts]
    for kind in [*known, *sorted(set(counts) - set(KINDS))]:
        yield f"{kind:<14}" + "".join(f"{counts[kind][outcome]:>9}" for outcome in OUTCOMES)
    total = sum(counts.values(), Counter())
    yield f"{'all':<14}" + "".join(f"{total[outcome]:>9}" for outcome in OUTCOMES)


def surroundings() -> Iterable[str]:
    """The engine, Compose, and where the base images come from; a line each."""
    try:
        client = docker.from_env()
    except DockerException:
        yield "engine: none"
        return
    try:
        about = client.version()
        yield f"engine: Docker {about['Version']} (API {about['ApiVersion']})"
        yield f"compose: {_compose_version()}"
        yield f"images: {_sources(client)}"
    finally:
        client.close()


def _kind(nodeid: str) -> str:
    parts = Path(nodeid.split("::")[0]).parts
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else "other"


def _compose_version() -> str:
    asked = subprocess.run(
        ["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "none"


def _sources(client: docker.DockerClient) -> str:
    found = []
    for service in SERVICES:
        try:
            labels = client.images.get(servers.image(service)).labels
        except (ImageNotFound, servers.ServersFailed):
            found.append(f"{service} not built")
        else:
            found.append(f"{service} from {labels.get(servers.SOURCE_LABEL, 'registry')}")
    return ", ".join(found)
