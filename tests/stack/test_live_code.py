"""`make dev`: a change of the code is served without anybody's doing."""

from __future__ import annotations

from pathlib import Path

import httpx

from .checkouts import copy_to
from .stacks import Stack

ROUTE = """
@router.get("/changed")
async def changed() -> dict[str, str]:
    return {"changed": "光 💡"}
"""


def changed(stack: Stack) -> bool:
    try:
        answer = httpx.get(f"{stack.url}/changed", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and answer.json() == {"changed": "光 💡"}


def test_a_changed_file_is_served_without_a_restart_by_hand(tmp_path: Path) -> None:
    checkout = copy_to(tmp_path)
    with Stack(checkout / "docker" / "app" / "dev.yaml", checkout=checkout) as stack:
        stack.up()
        container = stack.container("app")
        assert not changed(stack)
        worker = checkout / "app" / "jobs" / "worker.py"
        announced = worker.read_text("utf-8").replace('"worker is ready"', '"new worker is ready"')
        worker.write_text(announced, encoding="utf-8")
        router = checkout / "app" / "health" / "router.py"
        router.write_text(router.read_text("utf-8") + ROUTE, encoding="utf-8")
        stack.wait(lambda: changed(stack), "the change is served")
        stack.wait(lambda: "new worker is ready" in stack.logs("worker"), "the worker is new")
        same = stack.container("app")
        assert same.id == container.id
        assert same.attrs["State"]["StartedAt"] == container.attrs["State"]["StartedAt"]
        stack.wait_until_well()
