"""What a command says about settings that it can't use shows none of them."""

from pathlib import Path

import pytest

from tests import commands
from tests.cli.processes import bare_environment


@pytest.mark.parametrize("command", ["init-db", "run"])
def test_unusable_settings_are_named_and_not_shown(command: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (tmp_path / "secret").write_bytes(b"hunter2-\xff")
    environ = bare_environment(
        APP_PORT="eighty",
        DATABASE_HOST="db",
        DATABASE_OWNER_PASSWORD="hunter2-owner",
        DATABASE_OWNER_PASSWORD_FILE="/nonexistent",
        DATA_DIR=folder,
        QDRANT_API_KEY="hunter2-密钥",
        REDIS_PASSWORD_FILE=tmp_path / "secret",
        REDIS_URL="hunter2-redis",
        SEED_ORGANIZATIONS='[{"code": "S-1", "invitation_code": "hunter2-invitation"}]',
    )
    done = commands.run(command, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    named = {line.split(":")[0].split(" ")[0] for line in done.stderr.splitlines()[1:]}
    assert named == {
        "APP_PORT",
        "DATABASE_OWNER_PASSWORD",
        "DATABASE_PASSWORD",
        "QDRANT_API_KEY",
        "REDIS_PASSWORD_FILE",
        "REDIS_URL",
        "SEED_ORGANIZATIONS",
    }
    assert "hunter2" not in done.stderr
    # Nothing was made either.
    assert not folder.exists()


def test_a_weak_secret_in_production_is_not_shown() -> None:
    environ = bare_environment(
        ENVIRONMENT="production", DATABASE_HOST="db", DATABASE_PASSWORD="hunter2"
    )
    done = commands.run("init-db", environ=environ)
    assert done.returncode == 2
    assert "DATABASE_PASSWORD: too weak" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
