"""Runs what the service does with documents in processes of their own, for tests that end them.

    python -m tests.ingester    with settings in the environment

A process that has loaded everything once forks one for each order, a line of JSON on its standard
input, and tells how that ended. At a point of tests/interruptions.py the process dies or stops.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app import settings
from app.embedders import build
from app.errors import AppError
from app.knowledge import cleaning, consistency, indexing, reindexing, service
from app.knowledge.schemas import DocumentFilter, DocumentOut
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.interruptions import Interruption
from tests.people import ALICE

DIED = 9
# A number that nothing else has.
RESULT = 300
FAILED = 1


def serve() -> None:
    """Until who started this closes its standard input."""
    loaded = settings.load()
    # Few passages are several slices.
    indexing.SLICE = indexing.UPSERT = reindexing.BATCH = 2
    _say({"ready": True})
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_carry_out(loaded, json.loads(line)))
        _say({"pid": pid})
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                _say({"stopped": True})
                continue
            _say({"code": os.waitstatus_to_exitcode(status)})
            break


def _carry_out(loaded: Settings, order: dict[str, Any]) -> int:
    try:
        chosen = loaded.model_copy(update=order["settings"])
        with documents.opened(chosen) as tools:
            _do(tools, order["before"])
            # Where there is no accident, none of them is number 0.
            accident = Interruption(order["point"], ACCIDENTS[order["how"]], ahead=order["ahead"])
            with accident.expected(tools):
                _do(tools, order["actions"])
    except AppError as error:
        _say({"error": error.code})
        return FAILED
    except BaseException:
        traceback.print_exc()
        return FAILED
    return 0


def _do(tools: Tools, actions: list[list[Any]]) -> None:
    for action, *arguments in actions:
        ACTIONS[action](tools, *arguments)


def find(tools: Tools, name: str) -> DocumentOut | None:
    with tools.database.read() as session:
        page = service.list_page(session, ALICE.id, DocumentFilter(), limit=100, cursor=None)
    return next((one for one in page.items if one.name == name), None)


def add(tools: Tools, name: str, text: str) -> None:
    documents.add(tools, ALICE.id, text, name)


def replace(tools: Tools, name: str, text: str) -> None:
    found = find(tools, name)
    assert found is not None
    documents.replace(tools, ALICE.id, found.id, text, name)


def delete(tools: Tools, name: str) -> None:
    found = find(tools, name)
    if found is not None:
        documents.delete(tools, ALICE.id, found.id)


def stop(tools: Tools, name: str) -> None:
    """Cancels, unless it is done already."""
    found = find(tools, name)
    assert found is not None
    if found.newest.state == "cancelled":
        return
    with tools.database.begin() as session:
        service.cancel(session, ALICE.id, found.id)


def retry(tools: Tools, name: str) -> None:
    found = find(tools, name)
    assert found is not None
    if found.newest.state != "cancelled":
        return
    with tools.database.begin() as session:
        service.retry(session, ALICE.id, found.id)


def reindex(tools: Tools, model: str) -> None:
    """With another model's vectors."""
    chosen = tools.settings.model_copy(update={"embedder_model": model})
    embedder = build.build(chosen)
    try:
        reindexing.reindex(tools, embedder, lambda _done, _total: None)
    finally:
        embedder.close()


def check(tools: Tools, fix: bool = False) -> None:
    _say({"report": asdict(consistency.check(tools, fix=fix))})


def mend(tools: Tools) -> None:
    """Deletes files that nobody needs any more; nothing else is left to mend."""
    report = consistency.check(tools, fix=True)
    assert [one.found for one in report.differences[:3]] == [0, 0, 0]


ACTIONS: dict[str, Callable[..., object]] = {
    "add": add,
    "check": check,
    "clean": cleaning.clean,
    "delete": delete,
    "mend": mend,
    "prepare": documents.prepare,
    "reindex": reindex,
    "replace": replace,
    "retry": retry,
    "stop": stop,
    "tidy": documents.delete_collections,
    "work": documents.work,
}


ACCIDENTS: dict[str, Callable[[], object]] = {
    "die": lambda: os._exit(DIED),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def _say(what: dict[str, Any]) -> None:
    # In one piece, also from a process that dies soon.
    os.write(RESULT, f"{json.dumps(what)}\n".encode())


if __name__ == "__main__":
    # What is logged is not among what is told.
    os.dup2(1, RESULT)
    os.dup2(2, 1)
    serve()
