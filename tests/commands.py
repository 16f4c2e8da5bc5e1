"""Runs the `mindgraph` command as people run it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.settings import Settings
from tests.places import CHECKOUT

# The command beside the Python that runs the tests.
MINDGRAPH = Path(sys.executable).with_name("mindgraph")


def environment_of(settings: Settings) -> dict[str, str]:
    """An environment with these settings, and without any of whoever runs the tests."""
    values = settings.model_dump(exclude_unset=True)
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return kept | {
        name.upper(): _text(value) for name, value in values.items() if value is not None
    }


def start(*arguments: str, environ: dict[str, str], **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(MINDGRAPH), *arguments],
        env=environ,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def run(
    *arguments: str, environ: dict[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, with `typed` on its standard input."""
    return subprocess.run(
        [str(MINDGRAPH), *arguments],
        env=environ,
        cwd=CHECKOUT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def wait_until(true: Callable[[], object], why: str, patience_s: float = 30.0) -> None:
    """Asks again and again. Fails the test with `why` when it doesn't come true."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"after {patience_s:.0f} s still not so: {why}"
        time.sleep(0.02)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return json.dumps(value)
    return str(value)
