"""The server's settings, from the same environment variables as the real server's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Without these, clients would lose protection or data: better no server than a weaker one.
REFUSED = (
    "QDRANT__SERVICE__ENABLE_TLS",
    "QDRANT__SERVICE__JWT_RBAC",
    "QDRANT__SERVICE__READ_ONLY_API_KEY",
    "QDRANT__CLUSTER__ENABLED",
)
READ = (
    "QDRANT__LOG_LEVEL",
    "QDRANT__SERVICE__API_KEY",
    "QDRANT__SERVICE__HOST",
    "QDRANT__SERVICE__HTTP_PORT",
    "QDRANT__SERVICE__MAX_REQUEST_SIZE_MB",
    "QDRANT__STORAGE__SNAPSHOTS_PATH",
    "QDRANT__STORAGE__STORAGE_PATH",
)
LEVELS = {"TRACE": "DEBUG", "DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "ERROR": "ERROR"}


class SettingsError(Exception):
    """A setting has a value that can't be used."""


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    api_key: str
    storage: Path
    snapshots: Path
    max_request_bytes: int
    log_level: str
    ignored: tuple[str, ...]


def settings_from(environ: Mapping[str, str]) -> Settings:
    for name in REFUSED:
        if environ.get(name, "").lower() not in ("", "0", "false"):
            raise SettingsError(f"{name} needs the official image: unset it for the stand-in")
    level = environ.get("QDRANT__LOG_LEVEL", "INFO").upper()
    return Settings(
        host=environ.get("QDRANT__SERVICE__HOST") or "0.0.0.0",  # noqa: S104  # as the real server
        port=number(environ, "QDRANT__SERVICE__HTTP_PORT", 6333),
        api_key=environ.get("QDRANT__SERVICE__API_KEY", ""),
        storage=Path(environ.get("QDRANT__STORAGE__STORAGE_PATH") or "./storage"),
        snapshots=Path(environ.get("QDRANT__STORAGE__SNAPSHOTS_PATH") or "./snapshots"),
        max_request_bytes=number(environ, "QDRANT__SERVICE__MAX_REQUEST_SIZE_MB", 32) * 1024**2,
        # The real server takes a filter of modules here as well; only a bare level means one.
        log_level=LEVELS.get(level, "INFO"),
        ignored=tuple(
            sorted(n for n in environ if n.startswith("QDRANT__") and n not in READ + REFUSED)
        ),
    )


def number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal():
        raise SettingsError(f"{name} must be a whole number, not {text!r}")
    return int(text)
