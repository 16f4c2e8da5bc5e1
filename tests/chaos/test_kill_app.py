"""The app and the worker are killed again and again while people save."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
from docker.models.containers import Container

from tests.stack.kills import child_of_main_process, init_of, kill, main_process_of
from tests.stack.people import MIND_MAP, Person
from tests.stack.stacks import Stack

WRITERS = 3
ROUNDS: tuple[tuple[str, Callable[[Container], int]], ...] = (
    ("app", main_process_of),
    ("app", child_of_main_process),
    ("worker", main_process_of),
    ("app", init_of),
    ("app", main_process_of),
    ("worker", init_of),
    ("app", init_of),
)
DOCUMENTED = {201, 503}
# Powers of ten, so that a sum tells how often which of a record's fields were added.
INPUT, OUTPUT = 1, 10_000


class Writer(threading.Thread):
    """Saves one diagram after the other, each under a title of its own, and records one call of a
    model with each, until told to stop."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(name=name)
        self.person = Person(url)
        self.stop = threading.Event()
        self.saved: list[str] = []
        self.recorded: list[str] = []
        self.unanswered: list[str] = []
        self.surprises: list[str] = []

    def run(self) -> None:
        for number in itertools.count():
            if self.stop.wait(0.02):
                return
            self.save(f"{self.name}, {number}")
            self.record(str(uuid.uuid4()))

    def save(self, title: str) -> None:
        self._post("/api/diagrams", {**MIND_MAP, "title": title}, title, self.saved)

    def record(self, event_id: str) -> None:
        self._post("/api/usage", usage_of(event_id), event_id, self.recorded)

    def _post(self, path: str, body: Any, name: str, acknowledged: list[str]) -> None:
        try:
            answer = self.person.http.post(path, json=body)
        except httpx.TransportError:
            # Whether it was saved is open; the client may not assume either.
            self.unanswered.append(name)
            return
        if answer.status_code == 201:
            acknowledged.append(name)
        elif answer.status_code not in DOCUMENTED:
            self.surprises.append(f"{path}: {answer.status_code} {answer.text[:200]}")


def usage_of(*event_ids: str) -> dict[str, Any]:
    call = {"model_name": "m", "input_tokens": INPUT, "output_tokens": OUTPUT}
    return {"events": [call | {"event_id": one} for one in event_ids]}


def test_everything_acknowledged_is_there_exactly_once(stack: Stack) -> None:
    writers = [Writer(stack.url, f"writer {number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for service, victim in ROUNDS:
            before = [len(writer.recorded) for writer in writers]
            stack.wait(
                lambda before=before: all(  # type: ignore[misc]
                    len(writer.recorded) >= then + 5
                    for writer, then in zip(writers, before, strict=True)
                ),
                "every writer saves",
            )
            kill(stack, victim(stack.container(service)))
    finally:
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join()
    stack.wait_until_well()
    for writer in writers:
        assert writer.surprises == []
        check_diagrams(writer)
        check_usage(writer)
        writer.person.close()
    assert sum(len(writer.unanswered) for writer in writers) > 0


def check_diagrams(writer: Writer) -> None:
    found = Counter(writer.person.titles())
    assert {title: found[title] for title in writer.saved} == dict.fromkeys(writer.saved, 1)
    assert set(found) <= {*writer.saved, *writer.unanswered}
    assert max(found.values()) == 1


def check_usage(writer: Writer) -> None:
    counted = totals(writer)
    possible = [one for one in writer.unanswered if "," not in one]
    assert len(writer.recorded) <= counted["calls"] <= len(writer.recorded) + len(possible)
    # Whoever got no answer sends again. Then each is there, and none twice.
    everything = writer.recorded + possible
    for at in range(0, len(everything), 500):
        writer.person.expect(201, "POST", "/api/usage", usage_of(*everything[at : at + 500]))
    counted = totals(writer)
    assert counted["calls"] == len(everything)
    assert counted["input_tokens"] == len(everything) * INPUT
    assert counted["output_tokens"] == len(everything) * OUTPUT


def totals(writer: Writer) -> dict[str, int]:
    found: dict[str, int] = writer.person.expect(200, "GET", "/api/usage/statistics")["totals"]
    return found
