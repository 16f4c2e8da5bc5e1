"""What happens when .env is missing, broken, or holds a secret that everybody knows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stacks import CHECKOUT, Stack, bare_environment

WEAK = ("DATABASE_OWNER_PASSWORD", "DATABASE_PASSWORD", "QDRANT_API_KEY", "REDIS_PASSWORD")


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Not started: these settings shall not get that far."""
    with Stack() as stack:
        yield stack


def env_script(env_file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHECKOUT / "docker" / "env.py"), "--file", str(env_file)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**bare_environment(), **environment},
    )


def serve(stack: Stack) -> subprocess.CompletedProcess[str]:
    return stack.compose("run", "--rm", "--no-deps", "--no-TTY", "app", check=False)


@pytest.mark.parametrize("command", ["config", "up", "build"])
def test_compose_without_an_env_file_says_what_makes_one(tmp_path: Path, command: str) -> None:
    shutil.copy(CHECKOUT / "compose.yaml", tmp_path)
    done = subprocess.run(
        ["docker", "compose", command],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        encoding="utf-8",
        env=bare_environment(),
    )
    assert done.returncode != 0
    assert "run `make env`" in done.stderr


def test_a_setting_that_was_emptied_is_named_with_the_fix(stack: Stack) -> None:
    stack.set(REDIS_PASSWORD="")
    done = stack.compose("config", check=False)
    assert done.returncode != 0
    assert "REDIS_PASSWORD" in done.stderr
    assert "run `make env`" in done.stderr


def test_a_broken_line_is_named_and_nothing_is_changed(stack: Stack) -> None:
    text = stack.env_file.read_text("utf-8") + "WEB_THREADS 20\n"
    stack.env_file.write_text(text, encoding="utf-8")
    done = env_script(stack.env_file)
    assert done.returncode != 0
    assert f":{text.count(chr(10))}: there is no `=`" in done.stderr
    assert stack.env_file.read_text("utf-8") == text


def test_the_app_refuses_known_secrets_in_production_and_names_them(stack: Stack) -> None:
    stack.set(ENVIRONMENT="production", **dict.fromkeys(WEAK, "changeme"))
    done = serve(stack)
    assert done.returncode == 2, done.stderr
    assert [name for name in WEAK if f"{name}: too weak for production" not in done.stderr] == []


@pytest.mark.parametrize(
    "name", [*WEAK, "DATABASE_BACKUP_PASSWORD", "DATABASE_READONLY_PASSWORD", "POSTGRES_PASSWORD"]
)
def test_make_env_refuses_a_known_secret_in_production(stack: Stack, name: str) -> None:
    stack.set(ENVIRONMENT="production", **{name: "changeme"})
    done = env_script(stack.env_file)
    assert done.returncode != 0
    assert f"{name} is" in done.stderr
    assert stack.env[name] == "changeme"


def test_the_app_names_all_that_is_wrong_at_once(stack: Stack) -> None:
    stack.set(LOG_LEVEL="loud", QDRANT_API_KEY="clé", WEB_THREADS="many")
    done = serve(stack)
    assert done.returncode == 2
    for name in ("LOG_LEVEL", "WEB_THREADS"):
        assert f"{name}: " in done.stderr


def test_a_key_that_no_header_can_carry_is_named(stack: Stack) -> None:
    stack.set(QDRANT_API_KEY="clé-de-la-collection")
    done = serve(stack)
    assert done.returncode == 2
    assert "QDRANT_API_KEY: an HTTP header can't carry it" in done.stderr
