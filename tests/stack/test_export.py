"""The way out of a running stack, behind a closed door."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx

from .people import Person
from .stacks import CHECKOUT, Stack, bare_environment


def export(stack: Stack, file: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "export-sqlite", f"TO={file}"],
        capture_output=True,
        check=False,
        cwd=CHECKOUT,
        encoding="utf-8",
        env={
            **bare_environment(),
            "COMPOSE_ENV_FILES": str(stack.env_file),
            "COMPOSE_PROJECT_NAME": stack.project,
        },
    )


def test_a_stack_that_is_closed_for_maintenance_is_exported(
    stack: Stack, person: Person, tmp_path: Path
) -> None:
    person.save()
    stack.set(MAINTENANCE="true")
    stack.up()
    assert stack.is_well()
    refused = httpx.get(f"{stack.url}/api/diagrams", trust_env=False)
    assert (refused.status_code, refused.json()["error"]) == (503, "Maintenance")

    folder = tmp_path / "my exports 导出"
    missing = export(stack, f"{folder}/new.db")
    assert missing.returncode != 0
    assert "There is no folder" in missing.stderr
    folder.mkdir()
    done = export(stack, f"{folder}/new.db")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one.name for one in folder.iterdir()] == ["new.db"]
    assert (folder / "new.db").stat().st_uid == os.getuid()
    with closing(sqlite3.connect(folder / "new.db")) as file:
        assert file.execute("SELECT count(*) FROM diagrams").fetchone() == (1,)
    again = export(stack, f"{folder}/new.db")
    assert again.returncode != 0
    assert "new.db is there already" in again.stderr

    stack.set(MAINTENANCE="")
    stack.up()
    stack.wait_until_well()
