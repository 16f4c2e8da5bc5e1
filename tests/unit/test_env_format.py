"""docker/env_format.py against the real Compose: what it writes and reads is what Compose reads."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DOCKER = Path(__file__).resolve().parents[2] / "docker"


def load_format() -> ModuleType:
    spec = importlib.util.spec_from_file_location("env_format", DOCKER / "env_format.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["env_format"] = module
    spec.loader.exec_module(module)
    return module


env_format = load_format()


def compose_reads(
    folder: Path, env_text: bytes, names: list[str], **environ: str
) -> dict[str, str | None]:
    """What `docker compose` substitutes for each name, or its complaint in an exception."""
    (folder / "read.env").write_bytes(env_text)
    # The brackets keep a value that is only spaces or a number a plain string.
    service = {"image": "none", "environment": {name: f"<${{{name}}}>" for name in names}}
    (folder / "read.yaml").write_text(json.dumps({"services": {"one": service}}))
    files = ["--env-file", "read.env", "-f", "read.yaml"]
    done = subprocess.run(
        ["docker", "compose", *files, "-p", "envread", "config", "--format", "json"],
        cwd=folder,
        env={k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ} | environ,
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode())
    read = json.loads(done.stdout)["services"]["one"]["environment"]
    return {name: value.replace("$$", "$")[1:-1] for name, value in read.items()}


READ_ALIKE = r"""
A=x #c
B=x	#c
C=#x
D='a\'b' # c
E='a\\'
F="a\\"
G="\x41 \c \0123 \012 \0 \08 \n|\t \z \"q\" 'q'"
H="$FROM_ENV ${FROM_ENV}"
FROM_ENV=of the file
I=$FROM_ENV ${A}
J=a$ b$1 $
K=$$x ${A}$$ "\$"
L=${X:-d${FROM_ENV}e}f}
M=${X-}|${EMPTY-dash}|${EMPTY:-colon}|
N=${FROM_ENV:+yes}${X+no}${EMPTY:+no}${EMPTY+set}
EMPTY=
export O=exported
	export	P=tab
Q=x\n\\ y\
R="one
# two
three = 3"
S='$FROM_ENV \n'
T==b=
U=${X:-a b} c #d
V=\"q\" 'q'
W=mind 思维导图 🧠~
X1=~
Y="a\$A $$A \\$A"
Z='' # empty
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_compose_reads_odd_forms_as_parse_does(tmp_path: Path, end: str) -> None:
    text = ("EMPTY=" + READ_ALIKE.replace("~", " ")).replace("\n", end)
    ours = env_format.parse(text, {"FROM_ENV": "of the process"})
    names = [name for name in ours if name != "FROM_ENV"]
    theirs = compose_reads(tmp_path, text.encode(), names, FROM_ENV="of the process")
    assert len(names) == 27
    assert theirs == {name: ours[name] for name in names}


def test_compose_too_refuses_what_parse_calls_unfinished(tmp_path: Path) -> None:
    for line in ("A='x", 'A="x', "A=${", "A=${1}", "A=${X", "A=${X?why}"):
        with pytest.raises(env_format.Malformed):
            env_format.parse(line, {})
        with pytest.raises(ValueError, match=r"unterminated|Invalid template|missing a value"):
            compose_reads(tmp_path, line.encode(), ["A"])


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t\r"))
AWKWARD = st.text(st.sampled_from("@:/?#[]%&'\"$ <>\\{}=-aAn0;`!*()|~^\n"))


@settings(
    max_examples=3,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=st.lists(PRINTABLE | AWKWARD, min_size=150, max_size=300))
def test_compose_reads_back_every_quoted_value(tmp_path: Path, values: list[str]) -> None:
    wanted = {f"V{number}": value for number, value in enumerate(values)}
    text = "".join(f"{name}={env_format.quote(value)}\n" for name, value in wanted.items())
    assert env_format.parse(text, {}) == wanted
    assert compose_reads(tmp_path, text.encode(), list(wanted)) == wanted


@given(value=PRINTABLE | AWKWARD)
def test_a_quoted_value_is_one_line_and_reads_back(value: str) -> None:
    written = env_format.quote(value)
    assert "\n" not in written
    assert env_format.parse(f"A={written}\nB=2", {}) == {"A": value, "B": "2"}


@pytest.mark.parametrize("value", ["\0", "\x1b[0m", "\udc80"])
def test_a_character_that_no_form_can_carry_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        env_format.quote(value)
