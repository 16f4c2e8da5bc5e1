"""docker/env.py, run as a user runs it, on real files."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

DOCKER = Path(__file__).resolve().parents[2] / "docker"
EXAMPLE = """\
# How MindGraph is set up.

# The name that keeps two checkouts apart. generated: project
COMPOSE_PROJECT_NAME=

# generated: port
APP_PORT=8000
# Owner of the database.
# generated: password
POSTGRES_PASSWORD=
# generated: password
REDIS_PASSWORD=
ENVIRONMENT=development
#LOG_LEVEL=info
"""
GOOD = "a-long-enough-Value-42"


def load_format() -> ModuleType:
    spec = importlib.util.spec_from_file_location("env_format", DOCKER / "env_format.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["env_format"] = module
    spec.loader.exec_module(module)
    return module


env_format = load_format()


class Checkout:
    """A folder with an example file in which docker/env.py is run as a user runs it."""

    def __init__(self, folder: Path, example: str = EXAMPLE) -> None:
        self.folder = folder
        self.example = folder / ".env.example"
        self.file = folder / ".env"
        self.example.write_text(example, encoding="utf-8")

    def command(self, *options: str) -> list[str]:
        paths = ["--example", str(self.example), "--file", str(self.file)]
        return [sys.executable, str(DOCKER / "env.py"), *paths, *options]

    def environ(self, **extra: str) -> dict[str, str]:
        kept = {"PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"}
        return {k: v for k, v in os.environ.items() if k in kept} | extra

    def run(
        self,
        *options: str,
        before: tuple[str, ...] = (),
        extra: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *self.command(*options)],
            env=self.environ(**(extra or {})),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def write(self, text: str) -> bytes:
        self.file.write_bytes(text.encode())
        self.file.chmod(0o600)
        return self.file.read_bytes()

    def values(self) -> dict[str, str]:
        values: dict[str, str] = env_format.parse(self.file.read_bytes().decode(), {})
        return values

    def mode(self) -> int:
        return stat.S_IMODE(self.file.stat().st_mode)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_new_file_has_every_line_of_the_example_and_strong_secrets(checkout: Checkout) -> None:
    done = checkout.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "made .env with 2 generated secrets (mode 0600)\n"
    values = checkout.values()
    assert values["ENVIRONMENT"] == "development"
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert re.fullmatch(r"[A-Za-z0-9_-]{32}", values[name])
    assert values["POSTGRES_PASSWORD"] != values["REDIS_PASSWORD"]
    without_values = re.sub("(?m)^(?!#)(.+?=).*", r"\1", checkout.file.read_text())
    assert without_values == re.sub("(?m)^(?!#)(.+?=).*", r"\1", EXAMPLE)
    assert checkout.mode() == 0o600


def test_no_secret_is_ever_printed(checkout: Checkout) -> None:
    made = checkout.run()
    secret = checkout.values()["POSTGRES_PASSWORD"]
    checkout.write(checkout.file.read_text().replace(secret, "hunter2") + "LATER\n")
    broken = checkout.run("--production")
    assert broken.returncode == 2
    for done in (made, broken):
        assert secret not in done.stdout + done.stderr
        assert "hunter2" not in done.stdout + done.stderr


def test_a_secret_is_never_readable_by_others_even_with_an_open_umask(checkout: Checkout) -> None:
    done = checkout.run(before=("sh", "-c", 'umask 000; exec "$@"', "sh"))
    assert done.returncode == 0
    assert checkout.mode() == 0o600


def test_a_second_run_touches_nothing_and_says_nothing(checkout: Checkout) -> None:
    checkout.run()
    before = checkout.file.stat()
    done = checkout.run()
    after = checkout.file.stat()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_a_value_of_the_environment_wins_when_the_file_is_made(checkout: Checkout) -> None:
    odd = """it's "50%" of $HOME \\ #1"""
    done = checkout.run(
        extra={"APP_PORT": "8123", "COMPOSE_PROJECT_NAME": "mine", "POSTGRES_PASSWORD": odd}
    )
    assert done.returncode == 0, done.stderr
    values = checkout.values()
    assert (values["APP_PORT"], values["COMPOSE_PROJECT_NAME"]) == ("8123", "mine")
    assert values["POSTGRES_PASSWORD"] == odd
    checkout.run(extra={"APP_PORT": "8999"})
    assert checkout.values()["APP_PORT"] == "8123"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("APP_PORT", "http", "is not a port"),
        ("APP_PORT", "70000", "is not a port"),
        ("COMPOSE_PROJECT_NAME", "My Stack", "is not a project name"),
        ("POSTGRES_PASSWORD", "bell\x07bell-bell", "cannot carry"),
    ],
)
def test_an_unusable_value_of_the_environment_is_refused(
    checkout: Checkout, name: str, value: str, reason: str
) -> None:
    done = checkout.run(extra={name: value})
    assert done.returncode == 2
    assert name in done.stderr
    assert reason in done.stderr
    assert not checkout.file.exists()


def test_two_checkouts_get_two_project_names_and_one_keeps_its_own(tmp_path: Path) -> None:
    names = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        made = Checkout(folder)
        made.run()
        names.append(made.values()["COMPOSE_PROJECT_NAME"])
        made.file.unlink()
        made.run()
        assert made.values()["COMPOSE_PROJECT_NAME"] == names[-1]
    assert names[0] != names[1]
    assert all(re.fullmatch(r"mindgraph-[0-9a-f]{8}", name) for name in names)


def test_a_checkout_seen_through_a_symlink_keeps_its_project_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "seen").symlink_to("real")
    through_link = Checkout(tmp_path / "seen")
    through_link.run()
    name = through_link.values()["COMPOSE_PROJECT_NAME"]
    through_link.file.unlink()
    directly = Checkout(tmp_path / "real")
    directly.run()
    assert directly.values()["COMPOSE_PROJECT_NAME"] == name


def listener(port: int, address: str = "127.0.0.1") -> socket.socket:
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((address, port))
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


def test_a_port_that_something_listens_on_is_passed_over(checkout: Checkout) -> None:
    with contextlib.ExitStack() as stack:
        taken = set()
        for port in range(8000, 8003):
            # One already taken by another program serves the test as well.
            with contextlib.suppress(OSError):
                address = "0.0.0.0" if port == 8001 else "127.0.0.1"
                stack.enter_context(listener(port, address))
            taken.add(str(port))
        checkout.run()
    assert checkout.values()["APP_PORT"] not in taken
    assert 8003 <= int(checkout.values()["APP_PORT"]) <= 8999


def test_two_ports_of_one_file_differ(tmp_path: Path) -> None:
    two = Checkout(tmp_path, "# generated: port\nAPP_PORT=\n# generated: port\nQDRANT_PORT=\n")
    two.run()
    assert len(set(two.values().values())) == 2
    app_port = two.values()["APP_PORT"]
    two.write(f"APP_PORT={app_port}\n")
    two.run()
    assert two.values()["QDRANT_PORT"] != app_port
    two.file.unlink()
    two.run(extra={"APP_PORT": app_port})
    assert two.values()["QDRANT_PORT"] != app_port


def test_in_ci_the_port_is_drawn_from_a_range_of_its_own(checkout: Checkout) -> None:
    ports = set()
    for _ in range(4):
        checkout.file.unlink(missing_ok=True)
        checkout.run(extra={"CI": "true"})
        ports.add(int(checkout.values()["APP_PORT"]))
    assert min(ports) >= 20000
    assert max(ports) <= 29999
    assert len(ports) > 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_missing_settings_are_appended_and_no_existing_byte_changes(
    checkout: Checkout, end: str, last: str
) -> None:
    lines = ["# mine", "export REDIS_PASSWORD='long enough, # really'  # why", "", "MINE=1"]
    before = checkout.write(end.join(lines) + (end if last else ""))
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    names = "COMPOSE_PROJECT_NAME, APP_PORT, POSTGRES_PASSWORD, ENVIRONMENT"
    assert done.stdout == f".env: added {names}\n"
    after = checkout.file.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == after.count(end.encode()) == 9
    values = checkout.values()
    assert values["REDIS_PASSWORD"] == "long enough, # really"
    assert len(values["POSTGRES_PASSWORD"]) == 32
    assert "LOG_LEVEL" not in values
    assert checkout.run().stdout == ""


@pytest.mark.parametrize("blank", ["", "''", '""', '"" # to do', "   "])
def test_an_empty_secret_is_filled_in_its_own_line(checkout: Checkout, blank: str) -> None:
    checkout.run()
    full = checkout.file.read_text()
    secret = checkout.values()["POSTGRES_PASSWORD"]
    checkout.write(full.replace(secret, blank))
    done = checkout.run()
    assert done.stdout == ".env: filled POSTGRES_PASSWORD\n"
    new = checkout.values()["POSTGRES_PASSWORD"]
    assert len(new) == 32
    assert new != secret
    comment = blank.strip("\"'")
    assert checkout.file.read_text() == full.replace(secret, new + comment)


def test_an_empty_setting_that_is_not_generated_stays_empty(checkout: Checkout) -> None:
    checkout.run()
    checkout.write(checkout.file.read_text().replace("=development", "="))
    assert checkout.run().stdout == ""
    assert checkout.values()["ENVIRONMENT"] == ""


def test_a_secret_that_comes_from_a_file_is_not_made_as_well(checkout: Checkout) -> None:
    checkout.write("POSTGRES_PASSWORD_FILE=/run/secrets/db\nREDIS_PASSWORD_FILE=\n")
    checkout.run()
    assert "POSTGRES_PASSWORD" not in checkout.values()
    assert len(checkout.values()["REDIS_PASSWORD"]) == 32


def test_an_open_mode_is_closed_and_said(checkout: Checkout) -> None:
    checkout.run()
    checkout.file.chmod(0o644)
    before = checkout.file.read_bytes()
    done = checkout.run()
    assert done.stdout == ".env: mode set to 0600 (it was 0644)\n"
    assert checkout.mode() == 0o600
    assert checkout.file.read_bytes() == before


def test_a_symlink_is_followed_and_kept(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    real = tmp_path / "vault" / "settings"
    real.write_text("POSTGRES_PASSWORD=\n")
    checkout.file.symlink_to(real)
    assert checkout.run().returncode == 0
    assert checkout.file.is_symlink()
    assert len(checkout.values()["POSTGRES_PASSWORD"]) == 32
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert not real.is_symlink()


def test_a_byte_order_mark_is_kept_and_read_past(checkout: Checkout) -> None:
    checkout.write(f"\ufeffPOSTGRES_PASSWORD={GOOD}\n")
    assert checkout.run().returncode == 0
    assert checkout.file.read_bytes().startswith(b"\xef\xbb\xbfPOSTGRES_PASSWORD=")
    assert checkout.file.read_text().count("POSTGRES_PASSWORD") == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("JUST_A_NAME", "there is no `=`"),
        ("NAME = value", "there is a space around `=`: write NAME=value"),
        ("NAME= value", "there is a space around `=`"),
        ("NAME= # a comment, not a value", "there is a space around `=`"),
        ("1NAME=x", "'1NAME' is not a name"),
        ("MY-NAME=x", "'MY-NAME' is not a name"),
        ("=x", "'' is not a name"),
        ("NAME='open", "the quote ' is never closed"),
        ('NAME="open\\"', 'the quote " is never closed'),
        ("NAME='a'b", "there is text after the closing '"),
        ("ENVIRONMENT=other", "ENVIRONMENT stands here again with another value"),
        ("NAME=ab$cd", "$cd would be replaced by nothing"),
        ("NAME=${", "a variable that is not complete"),
        ("NAME=${1}", "a variable that is not complete"),
        ("NAME=${A:-b", "a variable that is not complete"),
        ("NAME=${A:?say why}", "it needs A, which is not set (say why)"),
        ("NAME=a\0b", "holds a NUL byte"),
        ("NAME=a\rb", "holds a carriage return"),
    ],
)
def test_a_malformed_line_is_named_and_nothing_is_written(
    checkout: Checkout, line: str, reason: str
) -> None:
    before = checkout.write(f"# one\nENVIRONMENT=development\n{line}\nPOSTGRES_PASSWORD=\n")
    done = checkout.run()
    assert done.returncode == 2
    assert done.stderr.startswith(".env:3: ")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert checkout.file.read_bytes() == before


def test_every_malformed_line_is_named_at_once(checkout: Checkout) -> None:
    checkout.write("ONE\nGOOD=1\nA = 2\nB='x\nC=3\nD E=4\n")
    done = checkout.run()
    numbers = [line.split(":")[1] for line in done.stderr.splitlines()]
    assert numbers == ["1", "3", "4", "6"]


def test_lines_after_a_quoted_value_of_many_lines_keep_their_number(checkout: Checkout) -> None:
    checkout.write("CERT='one\n# two\nthree='\nBAD\n")
    assert checkout.run().stderr.startswith(".env:4: there is no `=`")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GOOD=1\nNAME=caf\xe9\n", ".env:2: holds bytes that are not UTF-8"),
        ("NAME=1\n".encode("utf-16"), ".env:1: the file is UTF-16 text"),
    ],
)
def test_a_file_in_another_encoding_is_named(checkout: Checkout, data: bytes, reason: str) -> None:
    checkout.file.write_bytes(data)
    done = checkout.run()
    assert (done.returncode, done.stderr[: len(reason)]) == (2, reason)
    assert checkout.file.read_bytes() == data


def test_a_mistake_in_the_example_is_named(tmp_path: Path) -> None:
    wrong = Checkout(tmp_path, "# generated: pasword\nNAME=\n")
    done = wrong.run()
    assert done.returncode == 2
    assert done.stderr.startswith(".env.example:2: `generated: pasword` is unknown")
    assert not wrong.file.exists()


WEAK = ["changeme", "password", "postgres", "secret", "admin", "123456", "POSTGRES_PASSWORD"]
WEAK += ["postgres_password", "short", "password12345678", "aaaaaaaaaaaaaaaa", "Change-Me-Please"]


@pytest.mark.parametrize("secret", WEAK)
def test_a_weak_secret_is_warned_of_and_refused_in_production(
    checkout: Checkout, secret: str
) -> None:
    checkout.run()
    old = checkout.values()["POSTGRES_PASSWORD"]
    before = checkout.write(checkout.file.read_text().replace(old, secret))
    warned = checkout.run()
    assert warned.returncode == 0
    assert warned.stderr.startswith(".env:10: POSTGRES_PASSWORD ")
    refused = checkout.run("--production")
    assert refused.returncode == 2
    assert refused.stderr.startswith(".env:10: POSTGRES_PASSWORD ")
    assert "empty it" in refused.stderr
    assert checkout.file.read_bytes() == before


def test_a_production_file_refuses_weak_secrets_by_itself(checkout: Checkout) -> None:
    checkout.write("ENVIRONMENT=production\nPOSTGRES_PASSWORD=changeme\n")
    before = checkout.file.read_bytes()
    assert checkout.run().returncode == 2
    assert checkout.file.read_bytes() == before


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ("compose.yaml:compose.prod.yaml:docker/postgres/remote.yaml", 0),
        ("compose.yaml", 2),
        ("docker/postgres/remote.yaml:compose.yaml:compose.prod.yaml", 2),
    ],
)
def test_more_files_may_come_after_those_of_production(
    checkout: Checkout, files: str, code: int
) -> None:
    checkout.write(f"COMPOSE_FILE={files}\n")
    assert checkout.run("--production").returncode == code


def test_a_strong_secret_passes_in_production(checkout: Checkout) -> None:
    checkout.write(f"ENVIRONMENT=production\nPOSTGRES_PASSWORD='{GOOD}'\n")
    done = checkout.run("--production")
    assert (done.returncode, done.stderr) == (0, "")


def obeying_modes() -> tuple[str, ...]:
    """A command prefix with which root, too, is bound by the modes of files."""
    if os.geteuid():
        return ()
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


def test_a_read_only_folder_is_one_clear_sentence(checkout: Checkout) -> None:
    checkout.folder.chmod(0o555)
    try:
        done = checkout.run(before=obeying_modes())
    finally:
        checkout.folder.chmod(0o755)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(checkout.folder.iterdir()) == [checkout.example]


def test_a_file_that_cannot_be_read_names_the_way_out(checkout: Checkout) -> None:
    checkout.write("POSTGRES_PASSWORD=\n")
    checkout.file.chmod(0)
    done = checkout.run(before=obeying_modes())
    assert done.returncode == 1
    assert "sudo chown" in done.stderr


def test_when_no_more_can_be_written_the_old_file_is_intact(checkout: Checkout) -> None:
    before = checkout.write("# " + "x" * 3000 + "\nPOSTGRES_PASSWORD=\n")
    done = subprocess.run(
        checkout.command(),
        env=checkout.environ(PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "free some space" in done.stderr
    assert checkout.file.read_bytes() == before
    assert sorted(path.name for path in checkout.folder.iterdir()) == [".env", ".env.example"]


def test_a_run_killed_at_any_moment_leaves_the_old_file_or_the_new_one(checkout: Checkout) -> None:
    before = checkout.write(f"{'# padding' * 20000}\nPOSTGRES_PASSWORD=\n")
    for step in range(30):
        checkout.file.write_bytes(before)
        running = subprocess.Popen(
            checkout.command(), env=checkout.environ(), stdout=subprocess.DEVNULL
        )
        time.sleep(0.004 * step)
        running.send_signal(signal.SIGKILL)
        running.wait()
        left = checkout.file.read_bytes()
        assert left == before or len(checkout.values()) == 5
    assert checkout.run().returncode == 0
    assert sorted(path.name for path in checkout.folder.iterdir()) == [".env", ".env.example"]


def test_a_run_waits_for_the_one_that_is_at_work(checkout: Checkout) -> None:
    folder = os.open(checkout.folder, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    running = subprocess.Popen(
        checkout.command(), env=checkout.environ(), stdout=subprocess.PIPE, text=True
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=1)
        assert not checkout.file.exists()
        before = checkout.write(
            EXAMPLE.replace("PASSWORD=", f"PASSWORD={GOOD}").replace("E=\n", "E=a\n")
        )
    finally:
        os.close(folder)
    said = running.communicate(timeout=60)[0]
    assert (running.returncode, said) == (0, "")
    assert checkout.file.read_bytes() == before


def test_the_file_belongs_to_whom_the_checkout_belongs(checkout: Checkout) -> None:
    if os.geteuid() == 0:
        os.chown(checkout.folder, 65534, 65534)
    assert checkout.run().returncode == 0
    assert checkout.file.stat().st_uid == checkout.folder.stat().st_uid
    checkout.write(checkout.file.read_text().replace("ENVIRONMENT=development\n", ""))
    assert checkout.run().stdout == ".env: added ENVIRONMENT\n"
    assert checkout.file.stat().st_uid == checkout.folder.stat().st_uid


def test_runs_at_the_same_time_agree_on_one_file(checkout: Checkout) -> None:
    running = [
        subprocess.Popen(
            checkout.command(), env=checkout.environ(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 6
    assert sum("made" in text for text in said) == 1


# Reading as Compose reads
