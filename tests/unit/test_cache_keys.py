"""app/cache/keys.py and whoever writes to Redis: no key meets another, and each one expires."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cache import keys, queue
from tests.places import CHECKOUT

# Commands that leave nothing behind that is not there already.
READING = {"close", "delete", "exists", "get", "getdel", "info", "ping", "pttl", "zrange", "zrem"}
READING |= {"dbsize", "execute", "hlen", "llen", "pipeline", "scan", "zcard", "zcount", "zscore"}
EXPIRIES = {"ex", "px", "exat", "pxat"}

HEX = st.text("0123456789abcdef", min_size=1, max_size=4)
# What callers hand in; a part in the middle of a key holds no colon.
ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "captcha_id": HEX,
    "copy": HEX,
    "diagram_id": HEX,
    "login_hash": HEX,
    "nonce": HEX,
    "organization_id": st.integers(0, 30),
    "rule": HEX,
    "token_hash": HEX,
    "user_id": st.integers(0, 30),
    "whose": HEX,
}


def makers() -> dict[str, Callable[..., str]]:
    return {
        name: function
        for name, function in inspect.getmembers(keys, inspect.isfunction)
        if function.__module__ == keys.__name__
    }


def calls() -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    """Any function of the module with arguments that it may get."""
    kinds: list[st.SearchStrategy[tuple[str, tuple[Any, ...]]]] = [
        st.tuples(st.just(name), st.tuples(*(ARGUMENTS[one] for one in parameters(maker))))
        for name, maker in makers().items()
    ]
    return st.one_of(kinds)


def parameters(maker: Callable[..., str]) -> list[str]:
    return list(inspect.signature(maker).parameters)


@given(one=calls(), other=calls())
def test_different_things_have_different_keys(
    one: tuple[str, tuple[Any, ...]], other: tuple[str, tuple[Any, ...]]
) -> None:
    first, second = (makers()[name](*arguments) for name, arguments in (one, other))
    assert (first == second) == (one == other)


def test_every_kind_of_key_begins_with_something_of_its_own() -> None:
    fixed = {}
    for name, maker in makers().items():
        arguments = ["0"] * len(parameters(maker))
        fixed[name] = maker(*arguments).removesuffix(":".join(arguments))
    assert len(set(fixed.values())) == len(fixed) >= 5
    for name, begins in fixed.items():
        others = [other for kind, other in fixed.items() if kind != name]
        assert not any(other.startswith(begins) for other in others), name


def test_no_key_meets_those_of_the_job_queue() -> None:
    broker = (CHECKOUT / "app/jobs/broker.py").read_text()
    found = re.search(r'namespace="([^"]+)"', broker)
    assert found
    assert found[1] == queue.NAMESPACE
    for maker in makers().values():
        assert not maker(*parameters(maker)).startswith(found[1])


def test_every_time_to_live_is_named_and_ends() -> None:
    named = {name: value for name, value in vars(keys).items() if name.endswith("_TTL")}
    assert len(named) >= 4
    for value in named.values():
        assert isinstance(value, timedelta)
        assert timedelta(0) < value <= timedelta(days=30)


# Writers


def sources() -> dict[str, str]:
    """The text of every module by its path."""
    found = sorted((CHECKOUT / "app").rglob("*.py"))
    return {str(path.relative_to(CHECKOUT)): path.read_text() for path in found}


def redis_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every `x.command(...)` where x is a parameter of the type Redis, or made by its builder."""
    clients = {
        argument.arg
        for argument in ast.walk(tree)
        if isinstance(argument, ast.arg)
        and argument.annotation is not None
        and ast.unparse(argument.annotation) in {"Redis", "redis.Redis"}
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made_by = ast.unparse(node.value.func)
            if made_by in {"Redis", "redis.Redis", "cache.build", "caches.build"}:
                clients |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.withitem) and ast.unparse(node.context_expr).startswith(
            tuple(f"{name}.pipeline(" for name in clients)
        ):
            assert isinstance(node.optional_vars, ast.Name)
            clients.add(node.optional_vars.id)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            receiver = node.func.value
            if isinstance(receiver, ast.Name) and receiver.id in clients:
                yield node


def immortal(source: str) -> list[str]:
    """The calls that leave something in Redis without an expiry."""
    found = []
    for call in redis_calls(ast.parse(source)):
        assert isinstance(call.func, ast.Attribute)
        command = call.func.attr
        given_names = {keyword.arg for keyword in call.keywords}
        expires = command in {"set", "getex"} and given_names & EXPIRIES
        if command not in READING and not expires:
            found.append(f"line {call.lineno}: {ast.unparse(call)}")
    return found


def lua_scripts() -> dict[str, str]:
    """The text of every script by its module and name."""
    return {
        f"{path} {ast.unparse(node.targets[0])}": node.value.value
        for path, source in sources().items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and "redis.call(" in node.value.value
    }


def immortal_in_lua(script: str) -> list[str]:
    """The lines that write what doesn't expire: SET without PX or EX, others without EXPIRE."""
    found = []
    for line in script.splitlines():
        for command in re.findall(r"redis\.call\('(\w+)'", line):
            if command == "SET":
                expires = re.search(r"'(PX|EX|PXAT|EXAT)'", line)
            elif command in {"HSET", "INCR", "INCRBY", "RPUSH", "SADD", "ZADD"}:
                expires = re.search(r"'P?EXPIRE(AT)?'", script)
            else:
                continue
            if not expires:
                found.append(line.strip())
    return found


def test_what_scripts_write_expires() -> None:
    scripts = lua_scripts()
    assert len(scripts) >= 4
    found = {name: immortal_in_lua(text) for name, text in scripts.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line", ["redis.call('SET', KEYS[1], 1)", "redis.call('ZADD', KEYS[1], 1, 2)"]
)
def test_a_line_of_a_script_without_an_expiry_is_seen(line: str) -> None:
    assert immortal_in_lua(f"local a = 1\n{line}") == [line]


def test_everything_written_to_redis_expires() -> None:
    found = {path: immortal(source) for path, source in sources().items()}
    # The place through which scripts run; what they write is looked at above.
    found.pop("app/cache/scripts.py")
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_the_writers_are_found() -> None:
    written = [
        call.func.attr
        for source in sources().values()
        for call in redis_calls(ast.parse(source))
        if isinstance(call.func, ast.Attribute)
    ]
    assert written.count("set") >= 3
    assert written.count("getex") >= 1
    assert written.count("delete") >= 2


@pytest.mark.parametrize(
    "call",
    ["set('a', 1)", "set('a', 1, keepttl=True)", "getex('a')", "hset('a', 'b', 1)", "incr('a')"],
)
def test_a_write_without_an_expiry_is_seen(call: str) -> None:
    source = f"def keep(store: Redis) -> None:\n    store.{call}\n"
    assert immortal(source) == [f"line 2: store.{call}"]


def test_every_key_is_made_in_the_module_of_keys() -> None:
    asked = [
        (path, ast.unparse(call.args[0]))
        for path, source in sources().items()
        # Its names are dramatiq's.
        if path != "app/cache/queue.py"
        for call in redis_calls(ast.parse(source))
        if ast.unparse(call.func).rpartition(".")[2]
        not in {"close", "execute", "info", "ping", "pipeline", "register_script"}
    ]
    made = re.compile(r"\*?\(?keys\.\w+\(.*|\*?_keys?\(.*|key|index")
    assert [(path, key) for path, key in asked if not made.fullmatch(key)] == []
    assert len(asked) >= 9
