import fcntl
import os
import pty
import re
import subprocess
import termios

import pytest
from sqlalchemy import select

import app
from app.auth import passwords
from app.cli.main import COMMANDS
from app.db.session import Database
from app.settings import Settings
from app.users.models import User
from tests.commands import MINDGRAPH, environment_of, run
from tests.databases import on_postgresql
from tests.people import ALICE

BARE = {"PATH": os.environ["PATH"]}
STRONG = "correct horse battery 电池"


def user(database: Database, login: str) -> User | None:
    with database.read() as session:
        return session.scalar(select(User).where(User.login == login))


def test_init_db_says_what_it_did(empty: Settings) -> None:
    environ = environment_of(empty)
    first, second = run("init-db", environ=environ), run("init-db", environ=environ)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert re.search(r"^schema none -> \d+, 4 organizations seeded$", first.stdout, re.M)
    assert re.search(r"^schema \d+: nothing to do$", second.stdout, re.M)


def test_an_administrator_is_made_with_the_password_of_a_pipe(
    settings: Settings, database: Database
) -> None:
    arguments = ("users", "create-admin", " Boss@School.org", "--name", "校长")
    made = run(*arguments, environ=environment_of(settings), typed=f"{STRONG}\r\n")
    assert made.returncode == 0, made.stderr
    boss = user(database, "boss@school.org")
    assert boss
    assert made.stdout.strip() == f"administrator boss@school.org has id {boss.id}"
    assert (boss.role, boss.name, boss.organization_id) == ("admin", "校长", None)
    assert passwords.matches(STRONG, boss.password_hash)


@pytest.mark.parametrize(
    ("login", "password", "said"),
    [
        ("boss@school.org", "short", "at least 12 characters"),
        ("boss@school.org", "", "at least 12 characters"),
        ("nobody", STRONG, "must be a phone number"),
        (ALICE.login, STRONG, "registered under this login name already"),
    ],
)
def test_an_administrator_that_can_not_be_made_is_told_in_a_sentence(
    settings: Settings, database: Database, login: str, password: str, said: str
) -> None:
    refused = run("users", "create-admin", login, environ=environment_of(settings), typed=password)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not password or password not in refused.stdout + refused.stderr
    assert user(database, "boss@school.org") is None


@pytest.mark.parametrize(("again", "code"), [(STRONG, 0), ("mistyped mistyped", 1)])
@on_postgresql
def test_in_a_terminal_the_password_is_asked_for_twice_and_not_shown(
    settings: Settings, database: Database, again: str, code: int
) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(MINDGRAPH), "users", "create-admin", "boss@school.org"],
        env=environment_of(settings),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    said = read_until(terminal, "Password: ")
    os.write(terminal, f"{STRONG}\n".encode())
    said += read_until(terminal, "Again: ")
    os.write(terminal, f"{again}\n".encode())
    said += read_until(terminal, "")
    os.close(terminal)
    assert process.wait(30) == code, said
    assert STRONG not in said
    assert bool(user(database, "boss@school.org")) is (code == 0)


def test_settings_that_can_not_be_used_are_all_listed() -> None:
    bad = {
        "APP_PORT": "eighty",
        "DATABASE_HOST": "db",
        "ENVIRONMENT": "staging",
        "REDIS_PASSWORD_FILE": "/no/such/file",
        "SEED_ORGANIZATIONS": '[{"code": "S-1"}]',
        "WEB_WORKERS": "0",
    }
    for command in ("init-db", "worker"):
        refused = run(command, environ=BARE | bad)
        assert refused.returncode == 2
        for name in bad.keys() - {"DATABASE_HOST"}:
            assert re.search(rf"^{name}\b", refused.stderr, re.M), (command, name, refused.stderr)
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("arguments", [["dance"], [], ["users"], ["users", "create-admin"]])
def test_a_wrong_call_is_told_with_the_usage(arguments: list[str]) -> None:
    refused = run(*arguments, environ=BARE)
    assert refused.returncode == 2
    assert refused.stderr.startswith("usage: mindgraph")
    assert "Traceback" not in refused.stderr


def test_every_command_explains_itself() -> None:
    shown = run("--help", environ=BARE)
    assert shown.returncode == 0
    for command, summary in COMMANDS.items():
        assert re.search(rf"^ +{command}\s+{summary[:20]}", shown.stdout, re.M), command
    assert run("--version", environ=BARE).stdout == f"mindgraph {app.__version__}\n"


def read_until(terminal: int, wanted: str) -> str:
    """What a terminal shows up to these words; all of it for none."""
    said = ""
    while not wanted or wanted not in said:
        try:
            piece = os.read(terminal, 1024)
        except OSError:
            # Linux tells so that nobody writes to it any more.
            break
        if not piece:
            break
        said += piece.decode(errors="replace")
    return said
