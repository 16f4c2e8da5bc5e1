"""Any secret works, and a changed one takes effect at the next `up`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .people import Person
from .stacks import ROLES, Stack, running

SECRETS = (*sorted(ROLES.values()), "REDIS_PASSWORD", "QDRANT_API_KEY")
ODD = "@:/?#[]%&'\"$ <>\\"
ASK_QDRANT = """
import os, sys, urllib.error, urllib.request
headers = {"api-key": os.environ["KEY"]}
ask = urllib.request.Request("http://qdrant:6333/collections", headers=headers)
try:
    print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(ask).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def odd(name: str) -> str:
    """A secret that breaks whatever pastes strings; some begin and end in the oddest way."""
    # The key of Qdrant is an HTTP header, which carries ASCII alone.
    letters = ODD if name == "QDRANT_API_KEY" else f"{ODD}é密🔑"
    if len(name) % 2:
        return f"{letters}{name}{letters}$${{HOME}}%2F\\"
    return f"'{name}{letters}\""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(settings={name: odd(name) for name in SECRETS}) as stack:
        yield stack


def redis_answers(stack: Stack, password: str) -> str:
    return stack.run_in(
        "redis", "redis-cli", "--no-auth-warning", "ping", REDISCLI_AUTH=password
    ).stdout


def qdrant_answers(stack: Stack, key: str) -> str:
    return stack.run_in("app", "python3", "-c", ASK_QDRANT, KEY=key).stdout.strip()


def refusals(stack: Stack, secrets: dict[str, str]) -> set[str]:
    """The names of those secrets that open nothing."""
    refused = {
        name
        for role, name in ROLES.items()
        if "password authentication failed" in stack.psql(role, "SELECT 1", secrets[name]).stderr
    }
    if "PONG" not in redis_answers(stack, secrets["REDIS_PASSWORD"]):
        refused.add("REDIS_PASSWORD")
    if qdrant_answers(stack, secrets["QDRANT_API_KEY"]) == "401":
        refused.add("QDRANT_API_KEY")
    return refused


def test_secrets_of_odd_characters_open_every_service(stack: Stack) -> None:
    assert {role: stack.sql(role, "SELECT current_user") for role in ROLES} == {
        role: role for role in ROLES
    }
    assert "PONG" in redis_answers(stack, stack.env["REDIS_PASSWORD"])
    assert qdrant_answers(stack, stack.env["QDRANT_API_KEY"]) == "200"
    assert stack.readiness()["ready"] is True


def test_a_diagram_is_saved_and_found_with_odd_secrets(person: Person) -> None:
    assert person.finds(person.save())


def test_no_service_is_open_without_its_secret(stack: Stack) -> None:
    assert refusals(stack, dict.fromkeys(SECRETS, "a-wrong-secret")) == set(SECRETS)


def test_changed_secrets_take_effect_and_the_data_stays(stack: Stack, person: Person) -> None:
    diagram = person.save()
    old = {name: stack.env[name] for name in SECRETS}
    stack.set(**{name: f"changed-{name}-{odd(name)[::-1]}" for name in SECRETS})
    stack.up()
    assert person.finds(diagram)
    assert person.finds(person.save("with new secrets"))
    assert refusals(stack, old) == set(SECRETS)
    assert refusals(stack, stack.env) == set()
    assert "did a job" in stack.run_in("app", "mindgraph", "doctor").stdout
