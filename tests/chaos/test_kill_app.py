"""The app is killed again and again while people save."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import httpx

from tests.stack.kills import child_of_main_process, init_of, kill, main_process_of
from tests.stack.people import MIND_MAP, Person
from tests.stack.stacks import Stack

WRITERS = 3
ROUNDS = (main_process_of, child_of_main_process, init_of, main_process_of, init_of)
DOCUMENTED = {201, 503}


class Writer(threading.Thread):
    """Saves one diagram after the other, each under a title of its own, until told to stop."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(name=name)
        self.person = Person(url)
        self.stop = threading.Event()
        self.acknowledged: list[str] = []
        self.unanswered: list[str] = []
        self.surprises: list[str] = []

    def run(self) -> None:
        for number in itertools.count():
            if self.stop.wait(0.02):
                return
            self.save(f"{self.name}, {number}")

    def save(self, title: str) -> None:
        body = {**MIND_MAP, "title": title}
        try:
            answer = self.person.http.post("/api/diagrams", json=body)
        except httpx.TransportError:
            # Whether it was saved is open; the client may not assume either.
            self.unanswered.append(title)
            return
        if answer.status_code == 201:
            self.acknowledged.append(title)
        elif answer.status_code not in DOCUMENTED:
            self.surprises.append(f"{answer.status_code} {answer.text[:200]}")


def test_every_acknowledged_diagram_is_there_exactly_once(stack: Stack) -> None:
    writers = [Writer(stack.url, f"writer {number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for victim in ROUNDS:
            saved = [len(writer.acknowledged) for writer in writers]
            stack.wait(
                lambda saved=saved: all(  # type: ignore[misc]
                    len(writer.acknowledged) >= before + 5
                    for writer, before in zip(writers, saved, strict=True)
                ),
                "every writer saves",
            )
            kill(stack, victim(stack.container("app")))
    finally:
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join()
    stack.wait_until_well()
    for writer in writers:
        found = Counter(writer.person.titles())
        assert writer.surprises == []
        assert {title: found[title] for title in writer.acknowledged} == dict.fromkeys(
            writer.acknowledged, 1
        )
        assert set(found) <= {*writer.acknowledged, *writer.unanswered}
        assert max(found.values()) == 1
        writer.person.close()
    assert sum(len(writer.unanswered) for writer in writers) > 0
