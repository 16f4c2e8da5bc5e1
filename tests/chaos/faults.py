"""A stack of production whose surroundings can be broken and mended: the disk of its database, its
archive, the memory of Redis, the clock."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.stack import backups
from tests.stack.checkouts import copy_to
from tests.stack.guides import Reader
from tests.stack.people import MIND_MAP
from tests.stack.stacks import CHECKOUT, Stack, StackFailed, bare_environment

from . import clocks

ACCOUNT = {"login": "root@example.org", "password": "correct horse battery staple 7"}
DATA = "/var/lib/postgresql/data"
# Of the database and of the uploaded files, in MB.
DISK, RESERVE, FILES_DISK = 1000, 64, 200
RUNBOOK = CHECKOUT / "docs" / "runbook.md"


class Site:
    """The stack, its checkout with .env, and who works there."""

    def __init__(self, stack: Stack, clock: clocks.Clock) -> None:
        self.stack = stack
        self.clock = clock
        self.verify = stack.verify
        # As somebody in the folder of the checkout: .env says everything.
        environ = bare_environment()
        environ.pop("MINDGRAPH_ENV_FILE", None)
        self.runbook = Reader(RUNBOOK, stack.checkout, {}, environ)

    def mindgraph(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.stack.checkout / "deploy" / "mindgraph"), *arguments],
            capture_output=True,
            check=False,
            cwd=self.stack.checkout,
            encoding="utf-8",
            env=self.runbook.environ,
            stdin=subprocess.DEVNULL,
        )

    def firing(self) -> dict[str, str]:
        """What `mindgraph alerts` tells: summaries by the alerts' names."""
        done = self.mindgraph("alerts", "--json")
        found = {one["alert"]: one["summary"] for one in json.loads(done.stdout or "[]")}
        assert done.returncode == (1 if found else 0), done.stderr
        return found

    def wait_for_alert(self, name: str, saying: str = "") -> str:
        """The summary, when it says that."""
        seen: dict[str, str] = {}

        def fires() -> bool:
            seen.update(self.firing())
            return name in seen and saying in seen[name]

        self.stack.wait(fires, f"the alert {name} fires {saying}".strip())
        return seen[name]

    def wait_for_peace(self, *names: str) -> None:
        seen: dict[str, str] = {}

        def ended() -> bool:
            seen.clear()
            seen.update(self.firing())
            return not set(names) & set(seen)

        try:
            self.stack.wait(ended, f"{names} end")
        except StackFailed as failure:
            raise StackFailed(f"{failure}; what fires: {seen}") from failure

    def doctor(self, parts: str) -> dict[str, dict[str, str]]:
        """What it finds wrong, by the checks' names."""
        done = self.mindgraph("doctor", "--only", parts, "--json")
        checks = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
        failed = any(one["status"] == "failure" for one in checks.values())
        assert done.returncode == (1 if failed else 0)
        return {name: one for name, one in checks.items() if one["status"] == "failure"}

    def browser(self) -> httpx.Client:
        """Of somebody who is logged in."""
        browser = httpx.Client(
            base_url=self.stack.url, verify=self.verify, trust_env=False, timeout=60
        )
        answer = browser.post("/api/auth/login", json=ACCOUNT)
        if answer.status_code != 200:
            browser.close()
            raise AssertionError(answer.text)
        return browser

    def titles(self) -> Counter[str]:
        """Of all diagrams that the database has, and how often."""
        return Counter(self.stack.sql_inside("SELECT title FROM diagrams").splitlines())

    @contextmanager
    def at_work(self, people: int = 2) -> Iterator[list[Saver]]:
        """They save and read until the block ends; what was acknowledged must be there then."""
        savers = [Saver(self.browser()) for _ in range(people)]
        for saver in savers:
            saver.start()
        try:
            yield savers
        finally:
            for saver in savers:
                saver.stop.set()
            for saver in savers:
                saver.join()
                saver.browser.close()
        titles = self.titles()
        assert [titles[title] for s in savers for title in s.saved if titles[title] != 1] == []
        assert [one for saver in savers for one in saver.surprises] == []

    def wait_for_saves(self, savers: list[Saver]) -> None:
        """Returns when each has saved some more."""
        before = [len(saver.saved) for saver in savers]

        def more() -> bool:
            return all(len(s.saved) > then + 2 for s, then in zip(savers, before, strict=True))

        self.stack.wait(more, "everybody saves")


class Saver(threading.Thread):
    """Saves one diagram after the other and reads the list; counts the answers to both."""

    def __init__(self, browser: httpx.Client) -> None:
        super().__init__()
        self.browser = browser
        self.stop = threading.Event()
        self.saved: list[str] = []
        self.read = 0
        self.logged_out = 0
        self.refused: Counter[str] = Counter()
        self.surprises: list[str] = []

    def run(self) -> None:
        while not self.stop.wait(0.05):
            title = secrets.token_hex(8)
            if self._ask("POST", "/api/diagrams", {**MIND_MAP, "title": title}) == 201:
                self.saved.append(title)
            if self._ask("GET", "/api/diagrams") == 200:
                self.read += 1

    def _ask(self, method: str, path: str, body: object = None) -> int:
        try:
            answer = self.browser.request(method, path, json=body)
        except httpx.TransportError:
            return 0
        if answer.status_code == 503:
            self.refused[f"{method} {answer.json()['error']}"] += 1
        elif answer.status_code == 401:
            self.logged_out += 1
            self.browser.post("/api/auth/login", json=ACCOUNT)
        elif answer.status_code not in (200, 201):
            self.surprises.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """One that is up, has a backup, and whose Prometheus has asked everybody."""
    checkout = copy_to(folder)
    overlay = folder / "faults.yaml"
    watch = folder / "clock"
    watch.mkdir()
    overlay.write_text(yaml.safe_dump(surroundings(folder, watch)), encoding="utf-8")
    files = (checkout / "compose.prod.yaml", overlay)
    with Stack(*files, checkout=checkout, settings=SETTINGS) as stack:
        stack.env_file = checkout / ".env"
        stack.set()
        stack.up()
        stack.compose(
            *("exec", "--no-TTY", "app", "mindgraph", "users", "create-admin"),
            *(ACCOUNT["login"], "--name", "Root"),
            stdin=ACCOUNT["password"] + "\n",
        )
        yield Site(stack, clocks.Clock(watch))


SETTINGS = {
    "BACKUP_QUEUE_LIMIT_MB": "48",
    "COMPOSE_PROFILES": "metrics",
    "DIAGRAM_QUOTA": "100000",
    "DISK_RESERVE_MB": str(RESERVE),
    # From which follows how much of its log it keeps.
    "POSTGRES_MEMORY_MB": "512",
    "REDIS_MAXMEMORY": "64mb",
    "RATE_LIMITS": "false",
    "SECRETS_DIR": "./secrets",
}


# What is in memory would be gone with the last container that uses it.
KEEPER = {
    "image": "${IMAGE_NAMESPACE}-postgres",
    "init": True,
    "entrypoint": ["sleep", "infinity"],
    "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
    "network_mode": "none",
    "volumes": [f"postgres:{DATA}", "files:/files"],
}


def surroundings(folder: Path, watch: Path) -> dict[str, Any]:
    """What is added to the compose files: small disks in memory, a clock that can be set, and a
    Prometheus for which a minute of the rules lasts a second."""
    rules, metrics = folder / "alerts.yaml", folder / "prometheus.yaml"
    text = (CHECKOUT / "docker/metrics/alerts.yaml").read_text(encoding="utf-8")
    rules.write_text(re.sub(r"\b(\d+)m\b", r"\1s", text), encoding="utf-8")
    text = (CHECKOUT / "docker/metrics/prometheus.yaml").read_text(encoding="utf-8")
    metrics.write_text(re.sub(r"\b1[05]s\b", "1s", text), encoding="utf-8")
    binds = [
        f"{rules}:/etc/mindgraph/alerts.yaml:ro",
        f"{metrics}:/etc/mindgraph/prometheus.yaml:ro",
    ]
    services = {name: clocks.surroundings(watch) for name in clocks.SERVICES}
    # What it writes to this disk counts as memory.
    services["postgres"]["mem_limit"] = "3g"
    return {
        "services": {**services, "keeper": KEEPER, "prometheus": {"volumes": binds}},
        # How full the disk of this machine is must move no alert.
        "volumes": {
            "files": in_memory(FILES_DISK, user=10001),
            "postgres": in_memory(DISK, user=999),
        },
    }


def in_memory(size_mb: int, user: int) -> dict[str, Any]:
    """A volume that is one small disk."""
    options = f"size={size_mb}m,uid={user},gid={user},mode=0700"
    return {
        "driver": "local",
        "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": options},
    }


def fill_disk(stack: Stack, left_mb: int) -> None:
    """As something else on the same disk would."""
    script = f"""
        free=$(df --output=avail --block-size=1M {DATA} | tail -n 1)
        dd if=/dev/zero bs=1M count=$((free - {left_mb})) status=none >>{DATA}/filler || true
    """
    done = stack.run_in("keeper", "bash", "-c", script)
    assert done.returncode == 0, done.stderr


def free_disk(stack: Stack) -> None:
    # Not in the database's own container, which may be away.
    done = stack.run_in("keeper", "rm", f"{DATA}/filler")
    assert done.returncode == 0, done.stderr


def break_archive(stack: Stack) -> None:
    backups.in_repository(stack, "mv archive archive.away; touch archive")


def mend_archive(stack: Stack) -> None:
    backups.in_repository(stack, "rm archive; mv archive.away archive")
