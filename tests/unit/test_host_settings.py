"""What `mindgraph doctor` says of an env file."""

from pathlib import Path

import env
import pytest
from host.checks import settings

from tests.places import CHECKOUT

EXAMPLE = (CHECKOUT / ".env.example").read_text()
STRONG = "kuW3vYb9xQ2mNs7LtR5d"
OTHER = "Zq8hJ4cVnB6wXe1GfT0p"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `make env` makes it."""
    target = tmp_path / ".env"
    example = str(CHECKOUT / ".env.example")
    monkeypatch.setattr("sys.argv", ["env", "--file", str(target), "--example", example])
    assert env.main() == 0
    return target


def statuses(file: Path) -> dict[str, str]:
    values = env.parse(file.read_text())
    return {one.check: one.status for one in settings.examine(file, values, EXAMPLE)}


def test_a_fresh_env_file_has_no_problem(file: Path) -> None:
    assert set(statuses(file).values()) == {"ok"}


def test_one_that_others_can_read_is_told(file: Path) -> None:
    file.chmod(0o640)
    assert statuses(file)["env-mode"] == "warning"
    file.chmod(0o400)
    assert statuses(file)["env-mode"] == "ok"


def test_names_that_nothing_reads_are_told(file: Path) -> None:
    found = settings.names(file, {"WEB_WORKER": "2", "COMPOSE_PROFILES": "x"}, EXAMPLE)
    assert found.status == "warning"
    assert found.seen.endswith("nothing reads: WEB_WORKER")


def test_names_that_are_missing_are_told(file: Path) -> None:
    values = env.parse(file.read_text())
    del values["REDIS_PASSWORD"]
    assert "lacks REDIS_PASSWORD" in settings.names(file, values, EXAMPLE).seen
    values["REDIS_PASSWORD_FILE"] = "/run/secrets/redis"
    assert settings.names(file, values, EXAMPLE).status == "ok"


@pytest.mark.parametrize(
    ("environment", "status"), [("development", "warning"), ("production", "failure")]
)
def test_a_weak_secret_is_told_without_its_value(file: Path, environment: str, status: str) -> None:
    values = {"REDIS_PASSWORD": "hunter2", "QDRANT_API_KEY": STRONG, "ENVIRONMENT": environment}
    found = settings.weak(file, values)
    assert found.status == status
    assert found.seen == "REDIS_PASSWORD is shorter than 16 characters"
    assert "hunter2" not in found.seen + found.fix


def test_a_secret_that_is_used_twice_is_told_without_its_value(file: Path) -> None:
    values = {
        "DATABASE_PASSWORD": STRONG,
        "EMBEDDER_API_KEY": "",
        "LLM_API_KEY": "",
        "QDRANT_API_KEY": OTHER,
        "REDIS_PASSWORD": STRONG,
    }
    found = settings.shared(file, values)
    assert found.seen == "the same secret: DATABASE_PASSWORD and REDIS_PASSWORD"
    assert settings.shared(file, {**values, "REDIS_PASSWORD": OTHER[::-1]}).status == "ok"


def test_the_file_of_a_key_is_no_secret(file: Path) -> None:
    assert settings.weak(file, {"TLS_KEY": "site.key"}).status == "ok"
