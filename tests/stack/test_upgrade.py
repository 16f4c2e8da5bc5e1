"""A new release takes the place of the old one under load, or doesn't, and nobody notices."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from . import backups
from .people import MIND_MAP
from .stacks import PRODUCTION, Stack, image_namespace

IMAGES = ("app", "postgres", "redis", "qdrant", "proxy")
PASSWORD = "correct horse battery staple 7"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """With images of its own names, which it may change."""
    with Stack(*PRODUCTION, settings={"DIAGRAM_QUOTA": "100000", "RATE_LIMITS": "false"}) as stack:
        for name in IMAGES:
            image = stack.engine.images.get(f"{image_namespace()}-{name}")
            assert image.tag(f"{stack.project}-{name}")
        stack.set(IMAGE_NAMESPACE=stack.project)
        stack.up()
        stack.compose(
            *("exec", "--no-TTY", "app", "mindgraph", "users", "create-admin"),
            *("root@example.org", "--name", "Root"),
            stdin=PASSWORD + "\n",
        )
        yield stack


def release(stack: Stack, folder: Path, last: str, name: str = "app") -> str:
    """Makes the app's image another one; `last` is the last line of its Dockerfile. The id."""
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(f"FROM {image_namespace()}-app\n{last}\n")
    image, _ = stack.engine.images.build(path=str(folder), tag=f"{stack.project}-{name}")
    return str(image.id)


class Load:
    """People who save and read without a pause; each answer is counted."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.answers: Counter[str] = Counter()
        self.saved: list[str] = []
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def run(self, verify: object) -> None:
        with httpx.Client(
            base_url=self.stack.url,
            verify=verify,  # type: ignore[arg-type]
            trust_env=False,
            timeout=60,
        ) as browser:
            account = {"login": "root@example.org", "password": PASSWORD}
            self.note(browser, "POST", "/api/auth/login", account)
            while not self.ended.is_set():
                title = secrets.token_hex(8)
                answer = self.note(browser, "POST", "/api/diagrams", {**MIND_MAP, "title": title})
                if answer is not None and answer.status_code == 201:
                    with self.lock:
                        self.saved.append(str(answer.json()["id"]))
                self.note(browser, "GET", "/api/diagrams")
                time.sleep(0.1)

    def note(
        self, browser: httpx.Client, method: str, path: str, body: object = None
    ) -> httpx.Response | None:
        answer = None
        try:
            answer = browser.request(method, path, json=body)
            said = f"{method} {answer.status_code}"
        except httpx.HTTPError as error:
            said = f"{method} {type(error).__name__}"
        with self.lock:
            self.answers[said] += 1
        return answer


@contextmanager
def loaded(stack: Stack) -> Iterator[Load]:
    load = Load(stack)
    threads = [threading.Thread(target=load.run, args=(stack.verify,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.ended.set()
        for thread in threads:
            thread.join()


def require_none_lost(stack: Stack, load: Load) -> None:
    failed = {said for said in load.answers if said[-3:] not in ("200", "201")}
    assert failed == set(), load.answers
    assert load.answers["POST 201"] == len(load.saved) > 20
    assert set(load.saved) <= set(stack.sql_inside("SELECT id FROM diagrams").split())


def running(stack: Stack, service: str) -> str:
    return str(stack.container(service).attrs["Image"])


def test_an_upgrade_and_a_rollback_under_load_lose_no_request(stack: Stack, tmp_path: Path) -> None:
    old = running(stack, "app")
    new = release(stack, tmp_path, "LABEL release=next")
    with loaded(stack) as load:
        done = backups.mindgraph(stack, "upgrade", "--no-backup")
        assert done.returncode == 0, done.stdout + done.stderr
        assert running(stack, "app") == running(stack, "worker") == new
        back = backups.mindgraph(stack, "rollback")
        assert back.returncode == 0, back.stdout + back.stderr
        assert running(stack, "app") == running(stack, "worker") == old
    require_none_lost(stack, load)
    names = {one.name for one in stack.containers()}
    assert f"{stack.project}-app-next" not in names
    again = backups.mindgraph(stack, "upgrade", "--no-backup")
    assert "there is nothing to upgrade" in again.stdout


NEVER_READY = """USER root
RUN sed -i 's,"/readyz","/never",' app/health/router.py
USER 10001:10001"""


@pytest.mark.parametrize("last", ['ENTRYPOINT ["false"]', NEVER_READY], ids=["ends", "not-ready"])
def test_a_broken_release_is_taken_back_and_no_request_fails(
    stack: Stack, tmp_path: Path, last: str
) -> None:
    old = running(stack, "app")
    release(stack, tmp_path, last)
    with loaded(stack) as load:
        done = backups.mindgraph(stack, "upgrade", "--no-backup", "--patience", "60")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "The release before is back and serves." in done.stderr
    require_none_lost(stack, load)
    assert running(stack, "app") == running(stack, "worker") == old
    assert stack.engine.images.get(f"{stack.project}-app").id == old
    assert stack.is_well()


def test_after_a_kill_a_start_is_of_a_healthy_release_and_the_change_can_be_made_again(
    stack: Stack, tmp_path: Path
) -> None:
    old = running(stack, "app")
    # As `make upgrade` leaves it: a kill may come before anything was done.
    new = release(stack, tmp_path, "LABEL release=killed", "app:next")
    with loaded(stack) as load:
        kill(stack, "upgrade", "--no-backup")
        backups.succeed(stack, "start")
        served = require_one_release(stack)
        # The later one only where the kill came when everything was done.
        assert served == old or (served == new and named(stack, "app:previous") == old)
        backups.succeed(stack, "upgrade", "--no-backup")
        assert require_one_release(stack) == new
        kill(stack, "rollback")
        backups.succeed(stack, "start")
        if require_one_release(stack) == new:
            backups.succeed(stack, "rollback")
        assert require_one_release(stack) == old
    require_none_lost(stack, load)


def kill(stack: Stack, *command: str) -> None:
    with backups.start(stack, *command) as started:
        # Two cores may be shared with others: most such changes take longer.
        time.sleep(secrets.randbelow(40))
        started.kill()


def require_one_release(stack: Stack) -> str:
    """The id of the image that app and worker run, and that the next start would be of."""
    served = running(stack, "app")
    assert running(stack, "worker") == named(stack, "app") == served
    assert not next_is_there(stack)
    return served


def test_a_release_before_that_is_not_healthy_any_more_is_not_gone_back_to(
    stack: Stack, tmp_path: Path
) -> None:
    now = running(stack, "app")
    release(stack, tmp_path, 'ENTRYPOINT ["false"]', "app:previous")
    with loaded(stack) as load:
        done = backups.mindgraph(stack, "rollback")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "The release before is back and serves." in done.stderr
    require_none_lost(stack, load)
    assert running(stack, "app") == running(stack, "worker") == named(stack, "app") == now


def test_when_the_backup_fails_the_next_start_is_of_the_release_that_runs(
    stack: Stack, tmp_path: Path
) -> None:
    now = running(stack, "app")
    release(stack, tmp_path, "LABEL release=without-backup")
    kept = stack.env["BACKUP_KEY"]
    stack.set(BACKUP_KEY="")
    done = backups.mindgraph(stack, "upgrade")
    stack.set(BACKUP_KEY=kept)
    assert done.returncode == 1, done.stdout + done.stderr
    assert named(stack, "app") == running(stack, "app") == now


def named(stack: Stack, name: str) -> str:
    return str(stack.engine.images.get(f"{stack.project}-{name}").id)


def next_is_there(stack: Stack) -> bool:
    return any(one.name == f"{stack.project}-app-next" for one in stack.containers())
