"""What the README and docs/ tell people to type or open is there."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from host.__main__ import COMMANDS as ON_THE_MACHINE

from app.cli.main import COMMANDS
from tests.places import CHECKOUT

DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
# Made by commands, so never in the repository.
MADE = {".env", ".venv", "data", "secrets"}


@cache
def tracked() -> frozenset[str]:
    """Every file and folder that git has, or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [Path(line) for line in listed.stdout.splitlines()]
    return frozenset(str(one) for file in files for one in (file, *file.parents))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (CHECKOUT / "Makefile").read_text(), re.M))


def code_in(text: str) -> list[str]:
    """What stands in backticks or in blocks of shell."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in (*lines, *re.findall(r"`([^`\n]+)`", rest)) if line]


def unknown_targets(text: str) -> list[str]:
    asked = [re.match(r"make ([a-z][a-z-]*)", code) for code in code_in(text)]
    return [found[0] for found in asked if found and found[1] not in make_targets()]


def unknown_commands(text: str) -> list[str]:
    known = {*COMMANDS, *ON_THE_MACHINE}
    asked = [re.search(r"(?:^|[ /])mindgraph ([a-z][a-z-]*)", code) for code in code_in(text)]
    return [found[0] for found in asked if found and found[1] not in known]


def missing_paths(text: str, folder: Path) -> list[str]:
    """Paths in code or links that look like files of this repository but aren't there."""
    tops = {name.split("/")[0] for name in tracked()}
    missing = []
    for word in (word for code in code_in(text) for word in code.split()):
        path = word.strip("'\"()").rstrip("/,;.:")
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", path) or path.split("/")[0] in MADE:
            continue
        a_file = re.search(r"\.(md|py|sh|sql|toml|yaml|yml|lock|json)$", path)
        ours = ("/" in path and path.split("/")[0] in tops) or ("/" not in path and a_file)
        if ours and path not in tracked():
            missing.append(path)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target and not (folder / target).exists():
            missing.append(target)
    return missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_a_document_tells_only_of_what_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert unknown_targets(text) == []
    assert unknown_commands(text) == []
    assert missing_paths(text, document.parent) == []


def test_what_is_not_there_is_found() -> None:
    text = "`make fly`, `make up`, `mindgraph dance`, `mindgraph init-db`, `app/no/such.py`,\n"
    text += "`app/main.py`, `nowhere.yaml`, `compose.yaml`, `/readyz`, [a](gone.md), [b](app)\n"
    text += "```sh\nmake swim  # now\nbash docker/gone.sh\n```\n"
    assert unknown_targets(text) == ["make swim", "make fly"]
    assert unknown_commands(text) == ["mindgraph dance"]
    assert missing_paths(text, CHECKOUT) == [
        "docker/gone.sh",
        "app/no/such.py",
        "nowhere.yaml",
        "gone.md",
    ]


def test_every_target_of_make_says_what_it_does() -> None:
    listed = subprocess.run(["make"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    shown = set(re.findall(r"^  make ([a-z-]+) +\S", listed.stdout, re.M))
    # A step of others, not a target for people.
    assert shown == make_targets() - {"made-env"}


def test_the_readme_names_the_two_commands() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    for wanted in ("make up", "make test", "make run", "examples/walkthrough.sh"):
        assert wanted in "\n".join(code_in(text)), wanted
