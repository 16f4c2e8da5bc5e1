"""The machine's half runs on the Python that a server has, which may be old."""

import ast
from pathlib import Path

import pytest

from tests.places import CHECKOUT

FILES = sorted((CHECKOUT / "deploy" / "host").rglob("*.py"))
OF_DOCKER = ("env.py", "env_format.py", "secret_files.py", "stale_containers.py")
FILES += [CHECKOUT / "docker" / name for name in OF_DOCKER]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_written_in_python_of_3_8(file: Path) -> None:
    text = file.read_text()
    tree = ast.parse(text, feature_version=(3, 8))
    imported = {
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    # Linters like to put in what is newer.
    assert not imported & {"datetime.UTC", "enum.StrEnum", "functools.cache", "tomllib"}
    has_code = len(tree.body) > 1
    assert not has_code or "__future__.annotations" in imported
