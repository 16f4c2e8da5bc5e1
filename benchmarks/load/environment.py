"""Where figures come from: the machine, the commit, and the versions of all that takes part."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from tests import databases
from tests.places import CHECKOUT
from tests.servers import HOST, Servers

PACKAGES = ("fastapi", "gunicorn", "psycopg2-binary", "redis", "sqlalchemy", "uvicorn", "uvloop")


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "kernel": f"{platform.system()} {platform.release()}",
    }


def packages() -> dict[str, str]:
    """Versions of Python and of what the service is made with."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version()} | found


def commit() -> dict[str, Any]:
    """Of the checkout; `dirty` where files that git has differ from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {"id": _git("rev-parse", "HEAD"), "dirty": bool(changed)}


def servers(found: Servers) -> dict[str, str]:
    """Their versions, as they say them."""
    with databases.superuser(found) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgresql = str((cursor.fetchone() or ["?"])[0])
    with redis.Redis(HOST, found.redis_port, password=found.redis_password) as asking:
        cache = str(asking.info("server")["redis_version"])
    url = f"http://{HOST}:{found.qdrant_port}/"
    answer = httpx.get(url, headers={"api-key": found.qdrant_api_key}, trust_env=False)
    vectors = str(answer.json().get("version", "?"))
    return {"postgresql": postgresql, "redis": cache, "qdrant": vectors}


def load_average() -> float:
    """Of the last minute."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(CHECKOUT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("" if done.returncode == 0 else "unknown")
