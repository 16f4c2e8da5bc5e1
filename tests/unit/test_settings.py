"""app/settings.py: what a process makes of its environment, and what it says when it can't."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app import settings as settings_of
from app.settings import Settings, SettingsError, load

STRONG = "nQ7vXe2kRb9wTz4cLm1s"
SECRET = "sesame-open-42-Q!x"


def lines(environ: Mapping[str, str]) -> list[str]:
    """What `load` complains of."""
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return str(caught.value).split("\n")


def test_an_empty_environment_is_the_embedded_default() -> None:
    assert load({}) == Settings()
    assert load({}).embedded
    assert load({}).database_host is None


def test_every_field_is_read_from_its_name_in_capitals() -> None:
    loaded = load(
        {
            "APP_PORT": "9000",
            "DATA_DIR": "/srv/elsewhere",
            "DATABASE_POOL_TIMEOUT_S": "1.5",
            "REDIS_PASSWORD": SECRET,
            "SEED_DEMO": "false",
            "SEED_ORGANIZATIONS": '[{"code": "B", "name": "北京", "invitation_code": "CODE-1"}]',
        }
    )
    assert loaded.app_port == 9000
    assert loaded.data_dir == Path("/srv/elsewhere")
    assert loaded.database_pool_timeout_s == 1.5
    assert loaded.redis_password == SecretStr(SECRET)
    assert loaded.seed_demo is False
    assert loaded.seed_organizations is not None
    assert [one.name for one in loaded.seed_organizations] == ["北京"]


def test_an_empty_variable_counts_as_unset() -> None:
    assert load({field.upper(): "" for field in Settings.model_fields}) == Settings()
    assert load({f"{field.upper()}_FILE": "" for field in Settings.model_fields}) == Settings()


def test_names_of_other_programs_are_left_alone() -> None:
    assert load({"PATH": "/bin", "APP_PORTS": "x", "DATABASE": "y"}) == Settings()


def test_case_of_a_choice_does_not_matter() -> None:
    loaded = load({"ENVIRONMENT": "Test", "LOG_FORMAT": "JSON", "LOG_LEVEL": "debug"})
    assert (loaded.environment, loaded.log_format, loaded.log_level) == ("test", "json", "DEBUG")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load({}).app_port = 1  # type: ignore[misc]


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "9123")
    assert load().app_port == 9123


# Values from files


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_value_can_come_from_a_file_with_any_line_end(tmp_path: Path, end: str) -> None:
    file = tmp_path / "password"
    secret = f"  {SECRET} é\r$x\n水 "
    file.write_bytes(f"{secret}{end}".encode())
    loaded = load({"REDIS_PASSWORD_FILE": str(file)})
    assert loaded.redis_password == SecretStr(secret)


def test_any_setting_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9001\n")
    (tmp_path / "level").write_text("warning\n")
    names = {"APP_PORT_FILE": str(tmp_path / "port"), "LOG_LEVEL_FILE": str(tmp_path / "level")}
    loaded = load(names)
    assert (loaded.app_port, loaded.log_level) == (9001, "WARNING")


def test_an_empty_file_counts_as_unset(tmp_path: Path) -> None:
    (tmp_path / "nothing").write_text("\n")
    assert load({"REDIS_PASSWORD_FILE": str(tmp_path / "nothing")}).redis_password is None


def test_a_missing_file_is_named_with_its_setting_and_a_fix(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert lines({"REDIS_PASSWORD_FILE": str(gone)}) == [
        f"REDIS_PASSWORD_FILE: can't read {gone} (No such file or directory); "
        "check the path and its mode"
    ]


def test_a_file_that_is_no_text_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"se\xffame")
    [line] = lines({"REDIS_PASSWORD_FILE": str(tmp_path / "bytes")})
    assert line.startswith("REDIS_PASSWORD_FILE: can't read ")
    assert "(no UTF-8 text)" in line
    assert "0xff" not in line


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    [line] = lines({"REDIS_PASSWORD_FILE": str(tmp_path)})
    assert "Is a directory" in line


def test_a_value_and_its_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET)
    environ = {"REDIS_PASSWORD": "other", "REDIS_PASSWORD_FILE": str(tmp_path / "password")}
    assert lines(environ) == [
        "REDIS_PASSWORD: set together with REDIS_PASSWORD_FILE; remove one of the two"
    ]


def test_a_password_whose_file_fails_is_not_called_missing_as_well(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    [line] = lines({"DATABASE_HOST": "db", "DATABASE_PASSWORD_FILE": gone})
    assert line.startswith("DATABASE_PASSWORD_FILE: can't read ")


# Problems


def test_every_problem_is_listed_at_once_a_line_each(tmp_path: Path) -> None:
    found = lines(
        {
            "APP_PORT": "70000",
            "DATABASE_HOST": "db",
            "DATABASE_URL_FILE": str(tmp_path / "gone"),
            "ENVIRONMENT": "prod",
            "LOG_LEVEL": "loud",
            "QDRANT_API_KEY": "café",
            "QDRANT_PATH": "/srv/q",
            "QDRANT_URL": "http://qdrant:6333",
            "REDIS_URL": "127.0.0.1:6379",
            "SEED_DEMO": "perhaps",
            "SEED_ORGANIZATIONS": '[{"code": "", "name": "x", "invitation_code": "abc"}]',
            "WEB_THREADS": "many",
        }
    )
    assert sorted(line.split(":")[0] for line in found) == [
        "APP_PORT",
        "DATABASE_PASSWORD",
        "DATABASE_URL_FILE",
        "ENVIRONMENT",
        "LOG_LEVEL",
        "QDRANT_API_KEY",
        "QDRANT_PATH",
        "REDIS_URL",
        "SEED_DEMO",
        "SEED_ORGANIZATIONS (at 0.code)",
        "SEED_ORGANIZATIONS (at 0.invitation_code)",
        "WEB_THREADS",
    ]


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"APP_PORT": "70000"}, "APP_PORT: input should be less than or equal to 65535"),
        ({"WEB_WORKERS": "0"}, "WEB_WORKERS: input should be greater than or equal to 1"),
        (
            {"ENVIRONMENT": "prod"},
            "ENVIRONMENT: input should be 'development', 'production' or 'test'",
        ),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT: input should be 'console' or 'json'"),
        (
            {"DATABASE_HOST": "db"},
            "DATABASE_PASSWORD: missing; DATABASE_HOST is set, so set it as well",
        ),
        (
            {"QDRANT_PATH": "/q", "QDRANT_URL": "http://q"},
            "QDRANT_PATH: set together with QDRANT_URL; remove one of the two",
        ),
        (
            {"QDRANT_API_KEY": "two\nlines"},
            "QDRANT_API_KEY: an HTTP header can't carry it; use printable ASCII characters, "
            "with no space at either end",
        ),
        (
            {"DATABASE_URL": "mysql://host/name"},
            "DATABASE_URL: no address that this service can use; write it like "
            "postgresql://user:password@host/name, or sqlite:///file",
        ),
        (
            {"LLM_API_KEY": "two\nlines"},
            "LLM_API_KEY: an HTTP header can't carry it; use printable ASCII characters, "
            "with no space at either end",
        ),
        ({"LLM_URL": "http://llm"}, "LLM_MODEL: missing; LLM_URL is set, so set it as well"),
        ({"LLM_MODEL": "m"}, "LLM_URL: missing; LLM_MODEL is set, so set it as well"),
        (
            {"EMBEDDER": "OpenAI", "EMBEDDER_URL": "http://e"},
            "EMBEDDER_MODEL: missing; EMBEDDER is openai, so set it as well",
        ),
        (
            {"EMBEDDER": "openai", "EMBEDDER_MODEL": "m"},
            "EMBEDDER_URL: missing; EMBEDDER is openai, so set it as well",
        ),
        (
            {"EMBEDDER_URL": "https://user:key@host/v1"},
            "EMBEDDER_URL: no address that this service can use; write it like https://host/v1",
        ),
        (
            {"QDRANT_URL": "qdrant:6333"},
            "QDRANT_URL: no address that this service can use; write it like http://host:6333",
        ),
    ],
)
def test_a_problem_names_the_setting_and_the_fix(environ: dict[str, str], line: str) -> None:
    assert lines(environ) == [line]


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL"])
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg", "pg8000"])
def test_an_address_for_a_driver_that_is_not_here_is_refused(name: str, driver: str) -> None:
    [line] = lines({name: f"postgresql+{driver}://host/name"})
    assert line.startswith(f"{name}: no address that this service can use")


# Production


@pytest.mark.parametrize("weak", ["changeme", "Password", "short-but-odd-1", "x" * 40, "ab" * 12])
def test_a_weak_secret_is_refused_in_production_by_its_name(weak: str) -> None:
    names = ["DATABASE_OWNER_PASSWORD", "DATABASE_PASSWORD", "QDRANT_API_KEY", "REDIS_PASSWORD"]
    environ = dict.fromkeys(names, weak) | {"DATABASE_HOST": "db", "QDRANT_URL": "http://qdrant"}
    assert load(environ).redis_password == SecretStr(weak)
    found = lines(environ | {"ENVIRONMENT": "production"})
    assert sorted(line.split(":")[0] for line in found) == names
    assert all("use at least 16 random characters (`make env` makes one)" in one for one in found)
    assert not any(weak in line for line in found)


@pytest.mark.parametrize("padded", ["changeme12345678", "Password-2026-2026", "changeMe-base-7"])
def test_a_known_word_stays_weak_when_it_is_made_longer(padded: str) -> None:
    [line] = lines({"ENVIRONMENT": "production", "REDIS_PASSWORD": padded})
    assert line.startswith("REDIS_PASSWORD: too weak for production")


def test_a_weak_password_inside_of_an_address_is_refused_in_production() -> None:
    environ = {
        "DATABASE_OWNER_URL": "postgresql://owner:postgres@db/mindgraph",
        "DATABASE_URL": "postgresql://user:p%61ssword@db/mindgraph",
        "REDIS_URL": "redis://:redis@cache:6379/0",
    }
    found = lines(environ | {"ENVIRONMENT": "production"})
    assert sorted(line.split(":")[0] for line in found) == sorted(environ)


def test_strong_secrets_pass_in_production_wherever_they_stand() -> None:
    in_parts = {
        "DATABASE_HOST": "db",
        "DATABASE_OWNER_PASSWORD": STRONG,
        "DATABASE_PASSWORD": STRONG,
        "ENVIRONMENT": "production",
        "QDRANT_API_KEY": STRONG,
        "QDRANT_URL": "http://qdrant:6333",
        "REDIS_PASSWORD": STRONG,
    }
    in_addresses = {
        "DATABASE_URL": f"postgresql://user:{STRONG}@db/mindgraph",
        "ENVIRONMENT": "production",
        "REDIS_URL": f"rediss://:{STRONG}@cache:6379/0",
    }
    assert load(in_parts).production
    assert load(in_addresses).production


def test_an_address_without_a_password_passes_in_production() -> None:
    environ = {"DATABASE_URL": "postgresql://db/mindgraph", "REDIS_URL": "unix:///run/redis.sock"}
    assert load(environ | {"ENVIRONMENT": "production"}).production


# What follows from settings


@pytest.mark.parametrize(
    ("environ", "embedded"),
    [
        ({}, True),
        ({"DATABASE_HOST": "db", "DATABASE_PASSWORD": "x"}, False),
        ({"DATABASE_URL": "sqlite:////srv/a.db"}, True),
        ({"DATABASE_URL": "postgresql://db/name"}, False),
        ({"DATABASE_URL": "sqlite:////srv/a.db", "DATABASE_HOST": "db"}, True),
    ],
)
def test_the_database_is_embedded_without_a_server(environ: dict[str, str], embedded: bool) -> None:
    assert load(environ).embedded is embedded


@pytest.mark.parametrize(
    ("environ", "seeds"),
    [
        ({}, True),
        ({"ENVIRONMENT": "test"}, True),
        ({"ENVIRONMENT": "production"}, False),
        ({"ENVIRONMENT": "production", "SEED_DEMO": "true"}, True),
        ({"SEED_DEMO": "false"}, False),
    ],
)
def test_demo_organizations_are_not_made_in_production_unless_asked_for(
    environ: dict[str, str], seeds: bool
) -> None:
    assert load(environ).seeds_demo is seeds


def test_the_owners_credentials_can_be_taken_out_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "owner").write_text(SECRET)
    monkeypatch.setenv("DATABASE_OWNER_PASSWORD_FILE", str(tmp_path / "owner"))
    monkeypatch.setenv("DATABASE_OWNER_URL", f"postgresql://owner:{SECRET}@db/name")
    assert load().database_owner_password == SecretStr(SECRET)
    settings_of.forget_owner()
    forgotten = load()
    assert forgotten.database_owner_password is None
    assert forgotten.database_owner_url is None


# Secrets stay secret


def test_no_secret_shows_in_the_settings() -> None:
    secrets = [name for name in Settings.model_fields if "secret" in annotation(name).lower()]
    passwords = {"database_password", "database_owner_password", "redis_password"}
    assert passwords | {"qdrant_api_key", "database_url", "redis_url"} <= set(secrets)
    addresses = {
        "database_owner_url": f"postgresql://owner:{SECRET}@db/name",
        "database_url": f"postgresql://user:{SECRET}@db/name",
        "redis_url": f"redis://:{SECRET}@cache",
    }
    loaded = load({name.upper(): addresses.get(name, SECRET) for name in secrets})
    for shown in (repr(loaded), str(loaded), str(loaded.model_dump()), loaded.model_dump_json()):
        assert SECRET not in shown


def annotation(field: str) -> str:
    return str(Settings.model_fields[field].annotation)


def test_no_secret_shows_in_a_complaint() -> None:
    environ = {
        "APP_PORT": SECRET,
        "DATABASE_PASSWORD": SECRET,
        "DATABASE_URL": f"mysql://user:{SECRET}@db/name",
        "ENVIRONMENT": "production",
        "QDRANT_API_KEY": f"é{SECRET}",
        "REDIS_PASSWORD": f"{SECRET}\udc80",
        "REDIS_URL": f"http://:{SECRET}@cache",
        "SEED_ORGANIZATIONS": f'[{{"code": "{SECRET}", "name": 1, "invitation_code": "{SECRET}"}}]',
    }
    with pytest.raises(SettingsError) as caught:
        load(environ)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        assert SECRET not in repr(error)
        error = error.__cause__ or error.__context__


def test_a_validation_error_does_not_show_its_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"qdrant_api_key": f"é{SECRET}", "app_port": SECRET})
    assert SECRET not in str(caught.value)
