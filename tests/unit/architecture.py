"""The rules of docs and design that no linter knows, as functions over a module's syntax tree.

A rule takes a module's name and tree, and yields a line for each place that breaks it.
"""

import ast
import re
from collections.abc import Callable, Iterator

Rule = Callable[[str, ast.Module], Iterator[str]]

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
FEATURES = {"admin", "auth", "diagrams", "health", "knowledge", "organizations"}
FEATURES |= {"status", "usage", "users"}
# What one feature may use of another.
OPEN_TO_FEATURES = {"checks", "dependencies", "errors", "schemas", "service"}
CONSTRUCTS = {"delete", "insert", "select", "update"}
CLIENTS = {"Database", "QdrantClient", "Redis", "RedisBroker", "create_engine", "from_url"}
# A handler that waits for the database must not do so in the event loop.
BLOCKING = {"Database", "DatabaseOf", "Session"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def environment(module: str, tree: ast.Module) -> Iterator[str]:
    """Only settings.py reads the environment."""
    if module == "app.settings":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}:
            yield _at(node, f"{node.attr}: settings.py reads the environment")
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            for name in node.names:
                if name.name in {"environ", "environb", "getenv"}:
                    yield _at(node, f"{name.name}: settings.py reads the environment")


def commits(module: str, tree: ast.Module) -> Iterator[str]:
    """Only db/session.py ends transactions; db/init.py ends those of migrations, which Alembic
    begins on a connection of its own, and a move those of the driver's own connections: where each
    of its steps ends is what it goes on from."""
    if module in {"app.db.session", "app.db.init"} or module.startswith("app.ops.migrate."):
        return
    for call in _calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}:
            yield _at(call, f"{call.func.attr}(): use `with database.begin()`")


def statements(module: str, tree: ast.Module) -> Iterator[str]:
    """SQL is made in queries, db and ops."""
    if module.endswith((".queries", "_queries")) or module.startswith(("app.db.", "app.ops.")):
        return
    for node, imported in _imports(tree):
        package, _, name = imported.rpartition(".")
        if package.startswith("sqlalchemy") and name in CONSTRUCTS:
            yield _at(node, f"{name}: statements belong into queries.py")
    for call in _calls(tree):
        if not isinstance(call.func, ast.Attribute):
            continue
        if _name(call.func.value) in {"sa", "sqlalchemy"} or call.func.attr == "query":
            yield _at(call, f"{call.func.attr}: statements belong into queries.py")


def blocking(_module: str, tree: ast.Module) -> Iterator[str]:
    """What touches the database is no coroutine."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.AsyncFunctionDef):
            continue
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.annotation and _names(argument.annotation) & BLOCKING:
                yield _at(node, f"async def {node.name} takes {argument.arg}: make it a plain def")


def hidden_imports(_module: str, tree: ast.Module) -> Iterator[str]:
    """Imports stand at the top, where they are seen."""
    for function in _functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield _at(node, f"import inside {function.name}")


def early_clients(_module: str, tree: ast.Module) -> Iterator[str]:
    """Nothing connects, or builds what does, when a module is imported."""
    for call in _calls_at_import(tree):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else _name(call.func)
        if name in CLIENTS:
            yield _at(call, f"{name}() at import: build it in the lifespan")


def prints(module: str, tree: ast.Module) -> Iterator[str]:
    """Only cli/ prints."""
    if module.startswith("app.cli."):
        return
    for call in _calls(tree):
        if _name(call.func) in {"print", "pprint"}:
            yield _at(call, "print(): log it, or return it to cli/")


def web_framework(module: str, tree: ast.Module) -> Iterator[str]:
    """FastAPI stays at the edge."""
    edge = module.startswith(("app.http.", "app.health.")) or module in {"app.main", "app.api"}
    if edge or module.endswith((".router", "_router", ".dependencies", ".front_cache")):
        return
    for node, imported in _imports(tree):
        if imported.split(".")[0] in {"fastapi", "starlette"}:
            yield _at(node, f"{imported}: only routers, dependencies, http and health know it")


def other_features(module: str, tree: ast.Module) -> Iterator[str]:
    """A feature uses another's service, never its queries, models or router."""
    me = module.split(".")[1:2]
    if not set(me) <= FEATURES:
        return
    for node, imported in _imports(tree):
        package, *rest = imported.removeprefix("app.").split(".")
        strange = imported.startswith("app.") and package in FEATURES and [package] != me
        if strange and rest and rest[0] not in OPEN_TO_FEATURES:
            yield _at(node, f"{imported}: use the service of {package}")


def redis_keys(module: str, tree: ast.Module) -> Iterator[str]:
    """Keys are made in cache/keys.py, and everything in Redis expires."""
    if module == "app.cache.keys":
        return
    for call in _calls(tree):
        if not isinstance(call.func, ast.Attribute) or _name(call.func.value) != "redis":
            continue
        if call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr):
            command = call.func.attr
            if command not in {"info", "config_get"}:
                yield _at(call, f"{command}(): make the key in cache/keys.py")
        if call.func.attr == "set" and not {"ex", "px"} & {word.arg for word in call.keywords}:
            yield _at(call, "set() without ex=: everything in Redis expires")
        if call.func.attr in {"hset", "lpush", "mset", "persist", "rpush", "sadd", "zadd"}:
            yield _at(call, f"{call.func.attr}() sets no expiry: use set() with ex=")


def sizes(_module: str, tree: ast.Module) -> Iterator[str]:
    """What doesn't fit on a few screens is taken apart."""
    last = max((getattr(node, "end_lineno", 0) or 0 for node in tree.body), default=0)
    if last > LONGEST_FILE:
        yield f"{last}: a file of more than {LONGEST_FILE} lines"
    for function in _functions(tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > LONGEST_FUNCTION:
            yield _at(function, f"{function.name} has {length} lines of {LONGEST_FUNCTION}")


RULES: tuple[Rule, ...] = (
    environment,
    commits,
    statements,
    blocking,
    hidden_imports,
    early_clients,
    prints,
    web_framework,
    other_features,
    redis_keys,
    sizes,
)


def _at(node: ast.stmt | ast.expr, problem: str) -> str:
    return f"{node.lineno}: {problem}"


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.expr) -> set[str]:
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    found |= {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            found |= set(re.findall(r"\w+", one.value))
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node, name.name
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                yield node, f"{node.module}.{name.name}"


def _calls_at_import(node: ast.AST) -> Iterator[ast.Call]:
    """Calls outside of functions; a default value or decorator of one is outside as well."""
    if isinstance(node, ast.Call):
        yield node
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, Function | ast.Lambda):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _calls_at_import(child)
