"""What one may show others of an installation: no secret, no host, no address, nobody's name."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr

from app.ops.doctor import findings
from app.ops.doctor.findings import Finding
from app.settings import Settings

# Of all settings in words, the ones that name nobody; of another one it is told that it is set.
SHOWN = {
    "database_sslmode", "embedder", "embedder_model", "environment", "llm_model", "log_format",
    "log_level",
}  # fmt: skip
# What the stack itself calls its services says nothing of anybody.
OWN_NAMES = {
    "app", "localhost", "mindgraph", "mindgraph_owner", "mindgraph_user", "pgbouncer", "postgres",
    "qdrant", "redis", "worker",
}  # fmt: skip
SHORTEST_NAME = 4

PATTERNS = (
    (re.compile(r"\w[\w+.-]*://[^\s'\"`,;]+"), "[address]"),
    (re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+"), "[e-mail]"),
    # No version of a kernel, which may have four parts and goes on with a dash.
    (re.compile(r"(?<![\w.-])\d{1,3}(\.\d{1,3}){3}(:\d+)?(?![\w.-])"), "[address]"),
    (
        re.compile(r"(?<![\w:])(?=[0-9a-f:]*::|(?:[0-9a-f]+:){7})[0-9a-f:]{3,}(?![\w:])", re.I),
        "[address]",
    ),
    (re.compile(r"(/home|/Users|/mnt/[a-z]/Users)/[^/\s]+"), r"\1/[name]"),
)


def lines(settings: Settings, found: Sequence[Finding]) -> Iterator[str]:
    yield "MindGraph, seen by the app"
    yield ""
    yield "Settings that differ from the default:"
    changed = list(differing(settings))
    yield from changed or ["  none"]
    yield ""
    yield "Findings:"
    private = _private(settings)
    for one in found:
        yield f"  {one.status:<7}  {one.check}: {redact(one.seen, private)}"
    counted = findings.summary(found)
    yield "  " + ", ".join(f"{status}: {count}" for status, count in counted.items())


def differing(settings: Settings) -> Iterator[str]:
    """A line for each setting that has another value than its default."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value == field.default:
            continue
        is_told = isinstance(value, bool | int | float) or name in SHOWN
        yield f"  {name.upper()}={value if is_told else '[set]'}"


def redact(text: str, private: Sequence[str]) -> str:
    """`text` without the `private` words, and without what looks like an address or a person."""
    for word in private:
        text = text.replace(word, "[private]")
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _private(settings: Settings) -> list[str]:
    """Values of settings that nobody else shall see; long ones first, which may hold others."""
    values = set()
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            values.add(value.get_secret_value())
        elif isinstance(value, str | Path) and value != field.default and name not in SHOWN:
            word = str(value)
            values |= {word} if len(word) >= SHORTEST_NAME else set()
    return sorted(values - OWN_NAMES - {""}, key=len, reverse=True)
