"""Every setting of the service, and the only reader of the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    SecretStr,
    ValidationError,
    model_validator,
)

WEAK_SECRETS = frozenset(
    {"", "admin", "changeme", "mindgraph", "password", "postgres", "redis", "secret", "test"}
)
SHORTEST_PRODUCTION_SECRET = 16


class SettingsError(ValueError):
    """Some settings can't be used. The message has one line for each, with its fix."""


class OrganizationSeed(BaseModel):
    """An organization that `init_db` makes in a database that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=50)
    name: str = Field(min_length=1, max_length=200)
    invitation_code: str = Field(min_length=4, max_length=50)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseModel):
    """The settings, read once at start. The environment name of a field is its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Service
    app_host: str = "127.0.0.1"
    app_port: int = Field(8000, ge=0, le=65535)
    data_dir: Path = Path("data")
    environment: Annotated[
        Literal["development", "production", "test"], BeforeValidator(_lower)
    ] = "development"
    log_format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = "console"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = (
        "INFO"
    )
    request_body_limit_kb: int = Field(1024, ge=16, le=102_400)
    seed_demo: bool | None = None
    seed_organizations: Json[list[OrganizationSeed]] | None = None
    web_threads: int = Field(10, ge=1, le=100)
    web_workers: int = Field(2, ge=1, le=64)
    worker_threads: int = Field(2, ge=1, le=64)

    # Database
    database_connect_timeout_s: int = Field(5, ge=1, le=60)
    database_host: str | None = None
    database_lock_timeout_ms: int = Field(5_000, ge=0)
    database_name: str = "mindgraph"
    database_owner: str = "mindgraph_owner"
    database_owner_password: SecretStr | None = None
    database_owner_url: SecretStr | None = None
    database_password: SecretStr | None = None
    database_pool_timeout_s: float = Field(3.0, gt=0, le=60)
    database_port: int = Field(5432, ge=1, le=65535)
    database_statement_timeout_ms: int = Field(30_000, ge=0)
    database_url: SecretStr | None = None
    database_user: str = "mindgraph_user"

    # Redis
    redis_db: int = Field(0, ge=0, le=15)
    redis_host: str = "127.0.0.1"
    redis_password: SecretStr | None = None
    redis_port: int = Field(6379, ge=1, le=65535)
    redis_timeout_s: float = Field(2.0, gt=0, le=60)
    redis_url: SecretStr | None = None

    # Qdrant
    qdrant_api_key: SecretStr | None = None
    qdrant_path: Path | None = None
    qdrant_timeout_s: int = Field(3, ge=1, le=60)
    qdrant_url: str | None = None
    qdrant_vector_size: int = Field(384, ge=1, le=65_535)

    # Accounts and diagrams
    diagram_spec_limit_kb: int = Field(500, ge=1, le=100_000)
    diagram_trash_days: int = Field(30, ge=1, le=3_650)
    session_idle_hours: int = Field(72, ge=1, le=8_760)
    session_max_days: int = Field(30, ge=1, le=3_650)

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded SQLite file."""
        if self.database_url is not None:
            return self.database_url.get_secret_value().startswith("sqlite")
        return self.database_host is None

    @property
    def seeds_demo(self) -> bool:
        """Demo organizations are made when asked for, and without asking outside production."""
        return not self.production if self.seed_demo is None else self.seed_demo

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        problems = self._missing()
        if self.production:
            problems += self._weak()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _missing(self) -> list[str]:
        problems = []
        if self.database_host and not self.database_url and self.database_password is None:
            problems.append("DATABASE_PASSWORD: missing; DATABASE_HOST is set, so set it as well")
        if self.qdrant_url and self.qdrant_path:
            problems.append("QDRANT_PATH: set together with QDRANT_URL; remove one of the two")
        return problems

    def _weak(self) -> list[str]:
        secrets = ["database_password", "database_owner_password", "redis_password"]
        if self.qdrant_url:
            secrets.append("qdrant_api_key")
        problems = []
        for field in secrets:
            secret: SecretStr | None = getattr(self, field)
            if secret is None:
                continue
            value = secret.get_secret_value()
            if value.lower() in WEAK_SECRETS or len(value) < SHORTEST_PRODUCTION_SECRET:
                problems.append(
                    f"{field.upper()}: too weak for production; use at least "
                    f"{SHORTEST_PRODUCTION_SECRET} random characters (`make env` makes one)"
                )
        return problems


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from `environ` (the process environment by default).

    An empty variable counts as unset. `NAME_FILE` names a file that holds the value of `NAME`
    (a trailing line end is dropped), for Docker and systemd secrets.

    Raises:
        SettingsError: lists every unusable setting, a line each.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        value = _lookup(field.upper(), environ, problems)
        if value is not None:
            values[field] = value
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += _describe(error)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def forget_owner() -> None:
    """Takes the owner's credentials, which only `init_db` needs, out of the environment."""
    for name in ("DATABASE_OWNER_PASSWORD", "DATABASE_OWNER_URL"):
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)


def _lookup(name: str, environ: Mapping[str, str], problems: list[str]) -> str | None:
    value = environ.get(name) or None
    path = environ.get(f"{name}_FILE") or None
    if path is None:
        return value
    if value is not None:
        problems.append(f"{name}: set together with {name}_FILE; remove one of the two")
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}_FILE: can't read {path} ({error}); check the path and its mode")
        return None


def _describe(error: ValidationError) -> list[str]:
    lines: list[str] = []
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] == "value_error" and not problem["loc"]:
            cause: Any = problem.get("ctx", {}).get("error")
            lines += str(cause).split("\n")
            continue
        name, *inner = [str(part) for part in problem["loc"]]
        where = f" (at {'.'.join(inner)})" if inner else ""
        lines.append(f"{name.upper()}{where}: {problem['msg'][:1].lower()}{problem['msg'][1:]}")
    return lines
