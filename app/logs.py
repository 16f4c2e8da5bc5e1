"""One log format for the service and for the libraries under it: console for people, JSON for
collectors. Values of fields that look secret are replaced."""

import functools
import logging
import logging.config
import re
import sys
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.settings import Settings

SECRET_FIELD = re.compile(r"passw|secret|token|api_?key|cookie|authorization|invitation", re.I)
# user:password@ in any URL that a library puts into a message. Up to the last @, because a password
# that nobody quoted may hold one, or a slash; a port and what follows it are no password.
URL_PASSWORD = re.compile(r"(\w+://[^\s:/@]*:)(?!\d{1,5}(?:[/?#\s]|$))\S*(@)")
REDACTED = "[redacted]"


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


@functools.lru_cache(1024)
def _is_secret(key: str) -> bool:
    return SECRET_FIELD.search(key) is not None


def _redacted(key: str, value: Any) -> Any:
    if _is_secret(key):
        return REDACTED
    if isinstance(value, dict):
        return {inner: _redacted(str(inner), of) for inner, of in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(key, one) for one in value]
    if isinstance(value, str | bytes | BaseException):
        text = value if isinstance(value, str) else repr(value)
        return URL_PASSWORD.sub(rf"\1{REDACTED}\2", text) if "://" in text else text
    return value


class Output:
    """Where the service's own lines go. Those of libraries take the way of `logging`, on which a
    line costs twice as much, and every request has one."""

    def __init__(self, name: str = "root") -> None:
        # For the processor that adds it.
        self.name = name

    def msg(self, line: str) -> None:
        # As `logging` does: where nobody reads the log, the service goes on.
        with suppress(OSError, ValueError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    debug = info = warning = error = critical = exception = msg


def configure(settings: Settings) -> None:
    """Sends every log record to standard output in the format of `settings.log_format`."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # Redaction comes after the traceback became text: an exception may carry a URL.
    last: list[Processor] = [
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False),
    ]
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=Output,
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_logging_config(settings, shared, last))


def _logging_config(
    settings: Settings, shared: list[Processor], last: list[Processor]
) -> dict[str, Any]:
    quiet = {"level": "WARNING", "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *last,
                ],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "structured",
            }
        },
        "root": {"level": settings.log_level, "handlers": ["stdout"]},
        "loggers": dict.fromkeys(("alembic", "app.db.pool", "httpx"), quiet),
    }
