"""Redis dies or loses everything while people read: no wrong answer, and nothing saved is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest

from tests.stack.kills import kill, kill_and_wait_for_restart, main_process_of
from tests.stack.people import MIND_MAP, Person
from tests.stack.stacks import Stack

READERS = 3
LOCK = "BEGIN; LOCK TABLE diagrams IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60); COMMIT"


class Reader(threading.Thread):
    """Reads a diagram and the list in turn, and notes what it should not have been told."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.person = Person(url)
        self.diagram = self.person.save()
        self.stop = threading.Event()
        self.right = 0
        self.refused: set[str] = set()
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            self.look(f"/api/diagrams/{self.diagram}")
            self.look("/api/diagrams")

    def look(self, path: str) -> None:
        answer = self.person.http.get(path)
        if answer.status_code == 200 and self.is_right(answer.json()):
            self.right += 1
        elif answer.status_code in (401, 503):
            self.refused.add(answer.json()["error"])
            self.person.http.post("/api/auth/login", json=self.person.account)
        else:
            self.wrong.append(f"{path}: {answer.status_code} {answer.text[:300]}")

    def is_right(self, found: dict[str, object]) -> bool:
        items = found.get("items")
        if isinstance(items, list):
            return [one["id"] for one in items] == [self.diagram]
        return all(found[name] == MIND_MAP[name] for name in ("spec", "title"))


@contextmanager
def reading(stack: Stack) -> Iterator[list[Reader]]:
    readers = [Reader(stack.url) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        yield readers
        stack.wait(lambda: stack.readiness().get("ready"), "the app is ready")
        before = [reader.right for reader in readers]
        stack.wait(
            lambda: all(r.right > then + 10 for r, then in zip(readers, before, strict=True)),
            "every reader reads again",
        )
    finally:
        for reader in readers:
            reader.stop.set()
        for reader in readers:
            reader.join()
            reader.person.close()


def redis_cli(stack: Stack, *command: str) -> str:
    password = stack.env["REDIS_PASSWORD"]
    done = stack.run_in("redis", "redis-cli", *command, REDISCLI_AUTH=password)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_kills_of_redis_during_reads_cause_no_wrong_answer_and_log_nobody_out(
    stack: Stack,
) -> None:
    with reading(stack) as readers:
        for _ in range(3):
            kill_and_wait_for_restart(stack, "redis", main_process_of(stack.container("redis")))
            stack.wait(lambda: stack.health("redis") == "healthy", "redis is healthy")
    assert [reader.wrong for reader in readers] == [[]] * READERS
    assert set().union(*(reader.refused for reader in readers)) <= {"RedisUnavailable"}


def test_a_flush_during_reads_causes_no_wrong_answer(stack: Stack) -> None:
    with reading(stack) as readers:
        for _ in range(5):
            assert redis_cli(stack, "FLUSHALL") == "OK"
    assert [reader.wrong for reader in readers] == [[]] * READERS
    assert set().union(*(reader.refused for reader in readers)) <= {"NotLoggedIn"}


class Editor(threading.Thread):
    """A program with an API key, which needs no Redis: it changes a diagram and looks at once
    whether the diagram and the list are as it left them."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.person = Person(url)
        self.diagram = self.person.save("0")
        wanted = {"name": "editor", "scopes": ["diagrams:read", "diagrams:write"]}
        key = self.person.expect(201, "POST", "/api/keys", wanted)["key"]
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "If-Match": "*"},
            timeout=30,
            trust_env=False,
        )
        self.stop = threading.Event()
        self.edits = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        path = f"/api/diagrams/{self.diagram}"
        while not self.stop.is_set():
            self.edits += 1
            title = str(self.edits)
            self.look(title, self.http.patch(path, json={"title": title}).json().get("title"))
            self.look(title, self.http.get(path).json().get("title"))
            listed = self.http.get("/api/diagrams").json().get("items", [])
            self.look([title], [one["title"] for one in listed])

    def look(self, expected: object, found: object) -> None:
        if found != expected:
            self.wrong.append(f"{found!r} instead of {expected!r}")


@contextmanager
def editing(stack: Stack) -> Iterator[list[Editor]]:
    editors = [Editor(stack.url) for _ in range(READERS)]
    for editor in editors:
        editor.start()
    try:
        yield editors
        more_edits(stack, editors)
    finally:
        for editor in editors:
            editor.stop.set()
        for editor in editors:
            editor.join()
            editor.http.close()
            editor.person.close()


def more_edits(stack: Stack, editors: list[Editor]) -> None:
    before = [editor.edits for editor in editors]
    stack.wait(
        lambda: all(one.edits > then + 5 for one, then in zip(editors, before, strict=True)),
        "every editor goes on",
    )


@pytest.mark.parametrize("accident", ["kill", "flush", "pause"])
def test_no_accident_of_redis_shows_an_old_answer_to_whoever_writes(
    stack: Stack, accident: str
) -> None:
    with editing(stack) as editors:
        for _ in range(3):
            more_edits(stack, editors)
            if accident == "kill":
                redis = stack.container("redis")
                kill_and_wait_for_restart(stack, "redis", main_process_of(redis))
            elif accident == "flush":
                assert redis_cli(stack, "FLUSHALL") == "OK"
            else:
                stack.container("redis").pause()
                # Longer than the app waits for it.
                time.sleep(5)
                stack.container("redis").unpause()
    assert [editor.wrong for editor in editors] == [[]] * READERS


@pytest.mark.parametrize("change", ["create", "replace", "delete"])
def test_a_write_whose_cache_could_not_be_cleared_shows_on_the_list(
    stack: Stack, person: Person, change: str
) -> None:
    """Redis dies between the check of the session and the commit, and comes back as it was."""
    first = person.save("first")
    # Now the list is in the cache.
    assert person.titles() == ["first"]
    writes = {
        "create": lambda: person.save("second"),
        "replace": lambda: person.expect(
            200, "PUT", f"/api/diagrams/{first}", {**MIND_MAP, "title": "changed"}
        ),
        "delete": lambda: person.expect(204, "DELETE", f"/api/diagrams/{first}"),
    }
    with ThreadPoolExecutor() as threads:
        locker = threads.submit(stack.psql, "mindgraph_owner", LOCK)
        stack.wait(lambda: waiting(stack, "wait_event = 'PgSleep'"), "the table is locked")
        write = threads.submit(writes[change])
        stack.wait(lambda: waiting(stack, "wait_event_type = 'Lock'"), "the write hangs")
        kill(stack, main_process_of(stack.container("redis")))
        (holder,) = waiting(stack, "wait_event = 'PgSleep'")
        stack.sql("postgres", f"SELECT pg_terminate_backend({holder})")
        write.result()
        locker.result()
    stack.wait_until_well()
    after = {"create": ["second", "first"], "replace": ["changed"], "delete": []}
    assert person.titles() == after[change]


def waiting(stack: Stack, condition: str) -> list[str]:
    """The process ids of the sessions in the database for which the condition is true."""
    return stack.sql("postgres", f"SELECT pid FROM pg_stat_activity WHERE {condition}").split()


def listed(person: Person) -> int:
    return len(person.expect(200, "GET", "/api/diagrams")["items"])


def test_a_full_redis_shows_no_old_list(stack: Stack) -> None:
    with closing(Person(stack.url)) as person:
        person.save("first")
        # Into the cache.
        assert listed(person) == 1
        redis_cli(stack, "CONFIG", "SET", "maxmemory", "1mb")
        try:
            person.save("second")
            assert listed(person) == 2
        finally:
            redis_cli(stack, "CONFIG", "SET", "maxmemory", "256mb")
        assert listed(person) == 2
