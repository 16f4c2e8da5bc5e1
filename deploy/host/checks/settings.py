"""The env file: its names beside .env.example, who can read it, and the secrets in it."""

from __future__ import annotations

import re
import stat
from collections import defaultdict
from pathlib import Path
from typing import Mapping

import env

from host.checks.finding import Finding, failure, ok, warning

NAMES = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
SECRET = re.compile(r"(^|_)(PASSWORD|KEY|SECRET|TOKEN)$")
# They are files, of which the name says where they are.
NO_SECRETS = {"TLS_KEY"}
# Compose and Docker read more than .env.example explains.
FOREIGN = re.compile(r"(COMPOSE|DOCKER|BUILDKIT)_|(HTTPS?|NO|ALL)_PROXY$")
TELLS = "`make env` fills in what is missing"


def examine(file: Path, values: Mapping[str, str], example: str) -> list[Finding]:
    """
    Args:
        file: the env file.
        values: what it says.
        example: the text of .env.example.
    """
    return [mode(file), names(file, values, example), weak(file, values), shared(file, values)]


def mode(file: Path) -> Finding:
    found = stat.S_IMODE(file.stat().st_mode)
    if not found & 0o077:
        return ok("env-mode", f"only its owner reads {file.name} ({found:04o})")
    return warning("env-mode", f"others can read {file.name} ({found:04o})", f"`chmod 600 {file}`")


def names(file: Path, values: Mapping[str, str], example: str) -> Finding:
    known = set(NAMES.findall(example))
    # One that stands without a #.
    needed = set(re.findall(r"^([A-Z][A-Z0-9_]*)=", example, re.MULTILINE))
    unknown = [one for one in sorted(values) if not _is_known(one, known)]
    missing = [one for one in sorted(needed) if one not in values and f"{one}_FILE" not in values]
    if unknown:
        return warning(
            "env-names",
            f"{file.name} has names that nothing reads: {', '.join(unknown)}",
            f"correct or delete them in {file}; .env.example has all that there are",
        )
    if missing:
        return warning("env-names", f"{file.name} lacks {', '.join(missing)}", TELLS)
    return ok("env-names", f"{len(values)} settings, all of them known")


def _is_known(name: str, known: set[str]) -> bool:
    plain = name[:-5] if name.endswith("_FILE") else name
    return plain in known or FOREIGN.match(name) is not None


def weak(file: Path, values: Mapping[str, str]) -> Finding:
    found = {name: env.weakness(name, value) for name, value in _secrets(values).items()}
    reasons = [f"{name} {reason}" for name, reason in found.items() if reason]
    if not reasons:
        return ok("weak-secrets", f"none of {len(found)} is weak")
    fix = f"empty them in {file}, then `make env` and `make up`"
    if values.get("ENVIRONMENT", "").lower() == "production":
        return failure(
            "weak-secrets", "; ".join(reasons), fix.replace("make up", "deploy/mindgraph start")
        )
    return warning("weak-secrets", "; ".join(reasons), fix)


def shared(file: Path, values: Mapping[str, str]) -> Finding:
    """Whether who has one secret has another one as well."""
    same = defaultdict(list)
    for name, value in _secrets(values).items():
        same[value].append(name)
    groups = [" and ".join(group) for group in same.values() if len(group) > 1]
    if not groups:
        return ok("shared-secrets", "each secret is used once")
    return warning(
        "shared-secrets",
        f"the same secret: {'; '.join(groups)}",
        f"empty all but one of them in {file}, then `make env` and `make up`",
    )


def _secrets(values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in values.items()
        if value and SECRET.search(name) and name not in NO_SECRETS
    }
