"""The host's half of the command `mindgraph`, on a stack of a test."""

from __future__ import annotations

import subprocess
from typing import Any

from .stacks import CHECKOUT, Stack, bare_environment

REPOSITORY = "/var/lib/pgbackrest"
SUMS = ("mindgraph-tables", "/var/run/postgresql")


def command(*arguments: str) -> list[str]:
    return [str(CHECKOUT / "deploy" / "mindgraph"), *arguments]


def environment(stack: Stack) -> dict[str, str]:
    return {**bare_environment(), "MINDGRAPH_ENV_FILE": str(stack.env_file)}


def mindgraph(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Its end, whatever it is. The stack's settings are read anew after it."""
    done = ended(stack, command(*arguments))
    stack.read_settings()
    return done


def ended(stack: Stack, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment(stack),
        stdin=subprocess.DEVNULL,
    )


def succeed(stack: Stack, *arguments: str) -> str:
    done = mindgraph(stack, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(stack: Stack, *arguments: str) -> subprocess.Popen[bytes]:
    """The same, running on, in a group of its own."""
    return subprocess.Popen(
        command(*arguments),
        env=environment(stack),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def sums(stack: Stack) -> str:
    """Rows and checksum of every table but that of search indexes: a restore makes a new one."""
    done = stack.run_in("postgres", *SUMS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return "\n".join(sorted(one for one in lines if not one.startswith("knowledge_indexes|")))


def volumes(stack: Stack) -> set[str]:
    filters: Any = {"label": f"com.docker.compose.project={stack.project}"}
    return {str(one.name) for one in stack.engine.volumes.list(filters=filters)}


def in_repository(stack: Stack, script: str) -> str:
    """What a shell says that may do anything with the folder of the backups, in which it begins."""
    said: bytes = stack.engine.containers.run(
        f"{stack.env['IMAGE_NAMESPACE']}-postgres",
        ["-c", f"set -e; cd {REPOSITORY}; {script}"],
        entrypoint=["bash"],
        environment={"BACKUP_KEY": stack.env["BACKUP_KEY"]},
        labels={"com.docker.compose.project": stack.project},
        network_mode="none",
        remove=True,
        user="0",
        volumes={f"{stack.project}_backups": {"bind": REPOSITORY, "mode": "rw"}},
    )
    return said.decode()
