"""app/logs.py in a process of its own, as a collector reads it from standard output."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.places import CHECKOUT

PRELUDE = """
import logging
import structlog
from app import logs
from app.settings import Settings

logs.configure(Settings(log_format={form!r}, log_level={level!r}))
log = structlog.get_logger("app.somewhere")
"""


def written(code: str, form: str = "json", level: str = "INFO") -> str:
    """What the code writes to standard output; it may write nothing elsewhere."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE.format(form=form, level=level) + code],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    return done.stdout.decode()


def records(code: str, level: str = "INFO") -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(code, level=level).splitlines()]


def test_records_of_the_service_and_of_libraries_have_one_shape() -> None:
    ours, theirs = records(
        "log.warning('it broke', count=3)\n"
        "logging.getLogger('library.part').warning('it %s', 'broke')\n"
    )
    for record in (ours, theirs):
        assert record["event"] == "it broke"
        assert record["level"] == "warning"
        assert record["timestamp"].endswith("Z")
    assert (ours["logger"], ours["count"]) == ("app.somewhere", 3)
    assert set(theirs) == {"event", "level", "logger", "timestamp"}


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    code = """
import datetime, decimal, pathlib
log.info("two\\nlines and 思维导图 🧠", path=pathlib.Path("/a"), at=datetime.datetime.min,
         amount=decimal.Decimal("1.5"), raw=b"\\xff", names={"b"}, none=None, error=ValueError("x"),
         nested={"list": [1, {"deep": ("a", 2.5)}]}, thing=object)
"""
    [record] = records(code)
    assert record["event"] == "two\nlines and 思维导图 🧠"
    assert record["nested"] == {"list": [1, {"deep": ["a", 2.5]}]}
    assert (record["names"], record["none"], record["raw"]) == (["b"], None, "b'\\xff'")


def test_the_request_id_is_on_every_line_of_the_request_and_no_other() -> None:
    code = """
with structlog.contextvars.bound_contextvars(request_id="abcdef0123"):
    log.info("one")
    logging.getLogger("library").error("two")
log.info("three")
"""
    assert [record.get("request_id") for record in records(code)] == [
        "abcdef0123",
        "abcdef0123",
        None,
    ]


@pytest.mark.parametrize(
    ("level", "shown"), [("WARNING", ["warning"]), ("DEBUG", ["debug", "info", "warning"])]
)
def test_the_level_holds_for_the_service_and_for_libraries(level: str, shown: list[str]) -> None:
    code = """
for logger in (log, logging.getLogger("library")):
    logger.debug("a")
    logger.info("b")
    logger.warning("c")
"""
    assert [record["level"] for record in records(code, level)] == shown * 2


def test_chatty_libraries_are_heard_from_warnings_on() -> None:
    code = """
for name in ("httpx", "alembic.runtime.migration"):
    logging.getLogger(name).info("chat")
    logging.getLogger(name).warning("trouble")
"""
    assert [record["event"] for record in records(code)] == ["trouble", "trouble"]


# Secrets

SECRETS = """
fields = {
    "password": S, "new_password": S, "passwd": S, "api_key": S, "apikey": S, "session_token": S,
    "Authorization": S, "set_cookie": S, "cookies": [S], "client_secret": S,
    "invitation_code": S, "headers": {"cookie": S, "x": [{"Api_Key": S}]}, "secret": {"a": S},
}
log.info("kept", login="alice", **fields)
"""


def test_fields_that_look_secret_are_not_shown_at_any_depth() -> None:
    text = written(f"S = 'sesame'\n{SECRETS}")
    record = json.loads(text)
    assert "sesame" not in text
    assert (record["event"], record["login"]) == ("kept", "alice")
    assert record["password"] == record["session_token"] == "[redacted]"
    assert record["headers"] == {"cookie": "[redacted]", "x": [{"Api_Key": "[redacted]"}]}


def test_what_was_logged_is_not_changed_for_its_owner() -> None:
    code = """
headers = {"cookie": "sesame", "names": ["redis://:sesame@cache"]}
log.info("request", headers=headers)
assert headers == {"cookie": "sesame", "names": ["redis://:sesame@cache"]}
"""
    assert "sesame" not in written(code)


@pytest.mark.parametrize("form", ["json", "console"])
def test_passwords_in_addresses_are_not_shown(form: str) -> None:
    code = """
for password in ("sesame", "sesame@sesame", "12345", "sesame/sesame", "%40sesame", "a:sesame"):
    for user in ("", "mindgraph_user"):
        url = f"postgresql+psycopg2://{user}:{password}@db:5432/name"
        log.info(f"connecting to {url} now", url=url, urls=[url])
        log.info("it broke", error=OSError(url), raw=url.encode())
        logging.getLogger("library").warning("can't reach '%s'", url)
"""
    text = written(code, form)
    assert "sesame" not in text
    assert "12345" not in text
    assert text.count("[redacted]@db:5432/name") == 12 * 6


def test_addresses_without_a_password_are_shown_whole() -> None:
    urls = [
        "http://127.0.0.1:8000/users?mail=alice@school.org",
        "https://school.org/@alice",
        "http://[::1]:8000",
        "redis://cache:6379 and bob@school.org",
    ]
    code = f"for url in {urls!r}: log.info(url)"
    assert [record["event"] for record in records(code)] == urls


@pytest.mark.parametrize("form", ["json", "console"])
def test_passwords_in_tracebacks_are_not_shown(form: str) -> None:
    code = """
def fail():
    try:
        raise OSError("no route to redis://user:" + "ses" + "ame@cache:6379/0")
    except OSError as error:
        raise ValueError("broken") from error

for logger in (log, logging.getLogger("library")):
    try:
        fail()
    except ValueError:
        logger.exception("a bug")
"""
    text = written(code, form)
    assert "sesame" not in text
    assert text.count("redis://user:[redacted]@cache:6379/0") == 2
    assert text.count("ValueError: broken") == 2
    if form == "json":
        assert [set(json.loads(line)) >= {"exception", "event"} for line in text.splitlines()] == [
            True,
            True,
        ]
