import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import CHECKOUT
from tests.unit import architecture
from tests.unit.architecture import LONGEST_FILE, LONGEST_FUNCTION, RULES, Rule

MODULES = {
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts): path
    for path in sorted((CHECKOUT / "app").rglob("*.py"))
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    assert len(MODULES) > 50
    broken = [
        f"{path.relative_to(CHECKOUT)}:{problem}"
        for module, path in MODULES.items()
        for problem in rule(module, ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert broken == [], (rule.__doc__ or "") + "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        ("environment", "app.db.engine", "import os\nhost = os.environ['HOST']"),
        ("environment", "app.db.engine", "import os\nhost = os.getenv('HOST')"),
        ("environment", "app.db.engine", "from os import environ"),
        ("commits", "app.users.service", "def f(session):\n    session.commit()"),
        ("commits", "app.db.seed", "def f(session):\n    session.rollback()"),
        ("statements", "app.users.service", "from sqlalchemy import select"),
        ("statements", "app.users.router", "import sqlalchemy as sa\nx = sa.update(User)"),
        ("statements", "app.users.service", "def f(session):\n    session.query(User)"),
        ("blocking", "app.users.router", "async def f(session: Session): ..."),
        ("blocking", "app.users.router", "async def f(*, db: 'Session | None' = None): ..."),
        ("blocking", "app.users.router", "async def f(database: DatabaseOf): ..."),
        ("blocking", "app.users.router", "async def f(session: orm.Session): ..."),
        ("hidden_imports", "app.users.service", "def f():\n    import json"),
        ("hidden_imports", "app.users.service", "async def f():\n    from a import b"),
        ("early_clients", "app.db.engine", "engine = create_engine('sqlite://')"),
        ("early_clients", "app.cache.client", "class A:\n    client = redis.Redis()"),
        ("early_clients", "app.cache.client", "def f(client=Redis.from_url('x')): ..."),
        ("early_clients", "app.vectors.client", "if True:\n    x = [QdrantClient()]"),
        ("prints", "app.ops.doctor.examination", "print('fine')"),
        ("web_framework", "app.users.service", "from fastapi import Depends"),
        ("web_framework", "app.ops.doctor.examination", "import starlette.requests"),
        ("other_features", "app.auth.service", "from app.users import queries"),
        ("other_features", "app.diagrams.service", "from app.users.models import User"),
        ("other_features", "app.auth.service", "import app.users.router"),
        ("redis_keys", "app.auth.sessions", "redis.set(key, 1)"),
        ("redis_keys", "app.auth.sessions", "redis.get('session:1')"),
        ("redis_keys", "app.auth.sessions", "redis.delete(f'session:{token}')"),
        ("redis_keys", "app.auth.sessions", "redis.hset(key, 'a', 1)"),
        ("sizes", "app.auth.service", "x = 1\n" * (LONGEST_FILE + 1)),
        ("sizes", "app.auth.service", "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION),
    ],
)
def test_a_rule_finds_what_breaks_it(rule: str, module: str, source: str) -> None:
    assert list(getattr(architecture, rule)(module, ast.parse(source)))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app.settings", "import os\nhost = os.environ['HOST']"),
        ("app.db.session", "def f(session):\n    session.commit()"),
        ("app.users.queries", "from sqlalchemy import select"),
        ("app.users.service", "def f(session: Session): ..."),
        ("app.users.router", "async def f(request: Request): ..."),
        ("app.db.engine", "def f():\n    return create_engine('sqlite://')"),
        ("app.cli.output", "print('fine')"),
        ("app.users.router", "from fastapi import Depends"),
        ("app.auth.service", "from app.users import service\nfrom app.auth import queries"),
        ("app.auth.sessions", "redis.set(key, 1, ex=5)\nredis.info('server')"),
        ("app.auth.service", "def f():\n" + "    x = 1\n" * (LONGEST_FUNCTION - 1)),
    ],
)
def test_no_rule_finds_fault_with_what_is_allowed(module: str, source: str) -> None:
    assert [problem for rule in RULES for problem in rule(module, ast.parse(source))] == []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        # The copy, not the checkout that is installed.
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        ("app/db/session.py", "from app.users import service", "layers"),
        ("app/errors.py", "from app.http import pagination", "layers"),
        ("app/ops/users.py", "from app.cli import output", "layers"),
        ("app/users/service.py", "from app.organizations import service as other", "features"),
        ("app/organizations/service.py", "from app.auth import service as other", "features"),
        ("app/health/checks.py", "from app.diagrams import service", "features"),
        ("app/users/queries.py", "from app.users import service", "inside"),
        ("app/diagrams/models.py", "from app.diagrams import queries", "inside"),
        ("app/brand_new.py", "x = 1", "layers"),
    ],
)
def test_an_import_against_the_layers_is_found(
    tmp_path: Path, path: str, line: str, contract: str
) -> None:
    shutil.copytree(CHECKOUT / "app", tmp_path / "app")
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    with (tmp_path / path).open("a") as file:
        file.write(f"\n{line}\n")
    linted = lint_imports(tmp_path)
    assert linted.returncode == 1, linted.stdout
    broken = [said.lower() for said in linted.stdout.split("\n") if " BROKEN" in said]
    assert any(contract in said for said in broken), linted.stdout


def test_the_imports_of_the_checkout_keep_the_layers() -> None:
    linted = lint_imports(CHECKOUT)
    assert linted.returncode == 0, linted.stdout + linted.stderr
