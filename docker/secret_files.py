"""Makes the files of `secrets/`, from which production's containers have their passwords and keys,
and stops those that have others: the `docker compose up` that follows starts them with the new.

The values stay in .env, which only its owner can read. A container of PostgreSQL's image writes the
files: they must belong to the users inside of the services. Python 3.8's standard library only.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import stale_containers
from env_format import Malformed, parse

CHECKOUT = Path(__file__).resolve().parent.parent
# The user that a service runs as, and the settings that it gets as files; one that is not set is an
# empty file.
APP = (
    "DATABASE_PASSWORD",
    "EMBEDDER_API_KEY",
    "LLM_API_KEY",
    "METRICS_TOKEN",
    "QDRANT_API_KEY",
    "REDIS_PASSWORD",
    "REDIS_URL",
)
OF_SERVICES = {
    "app": (10001, ("DATABASE_OWNER_PASSWORD", *APP)),
    "pgbouncer": (999, ("DATABASE_PASSWORD",)),
    "postgres": (
        999,
        (
            "BACKUP_KEY",
            "BACKUP_S3_KEY",
            "BACKUP_S3_SECRET",
            "DATABASE_BACKUP_PASSWORD",
            "DATABASE_OWNER_PASSWORD",
            "DATABASE_PASSWORD",
            "DATABASE_READONLY_PASSWORD",
            "POSTGRES_PASSWORD",
        ),
    ),
    "postgres-exporter": (65534, ("DATABASE_READONLY_PASSWORD",)),
    "prometheus": (65534, ("METRICS_TOKEN", "QDRANT_API_KEY")),
    "qdrant": (1000, ("QDRANT_API_KEY",)),
    "redis": (999, ("REDIS_PASSWORD",)),
    "redis-exporter": (59000, ("REDIS_PASSWORD", "REDIS_URL")),
    "worker": (10001, APP),
}
# What the proxy reads where the site's certificate, or the authority that signs it, is one's own.
PROXY = 10002
POSTGRES = 999
SITE_FILES = {"acme.crt": "TLS_ACME_CA", "site.crt": "TLS_CERTIFICATE", "site.key": "TLS_KEY"}


class Refusal(Exception):
    """Its text says what is wrong and what helps."""


def lines(settings: dict[str, str]) -> Iterator[str]:
    for service, (owner, names) in OF_SERVICES.items():
        for name in names:
            yield line(
                owner, service, name, settings.get(name, "").encode("utf-8", "surrogateescape")
            )
    for file, name in SITE_FILES.items():
        yield line(PROXY, "proxy", file, read(name, settings))
    yield line(0, "authority", "database.crt", read("DATABASE_CA", settings))
    yield line(POSTGRES, "postgres", "s3-authority.crt", read("BACKUP_S3_CA", settings))


def line(owner: int, folder: str, file: str, value: bytes) -> str:
    return f"{owner} {folder} {file} {base64.b64encode(value).decode()}\n"


def read(name: str, settings: dict[str, str]) -> bytes:
    """The file that a setting names."""
    given = settings.get(name, "")
    if given in {"", "system"}:
        return b""
    try:
        return (CHECKOUT / given).read_bytes()
    except OSError as error:
        raise Refusal(
            f"{name} in .env names {given}, which can't be read: {error.strerror}"
        ) from error


def make(env_file: Path) -> None:
    """Into the folder that SECRETS_DIR names. Raises Refusal.

    What runs with older files is stopped: a `docker compose up` must follow.
    """
    try:
        settings = parse(env_file.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, Malformed) as error:
        raise Refusal(f"{env_file} can't be read: {error}") from error
    folder = CHECKOUT / (settings.get("SECRETS_DIR") or "secrets")
    wanted = "".join(lines(settings))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    image = settings.get("IMAGE_NAMESPACE") or settings["COMPOSE_PROJECT_NAME"]
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--interactive", "--network", "none", "--user", "0:0"),
            *("--read-only", "--tmpfs", "/tmp"),  # noqa: S108  # a memory of its own
            *("--security-opt", "no-new-privileges:true"),
            *("--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "DAC_OVERRIDE"),
            *("--cap-add", "FOWNER", "--volume", f"{folder}:/secrets"),
            *("--env", f"DATABASE_CA={settings.get('DATABASE_CA', '')}"),
            *("--env", f"POSTGRES_NAMES={settings.get('POSTGRES_NAMES', '')}"),
            *("--entrypoint", "mindgraph-make-secrets", f"{image}-postgres"),
        ],
        check=False,
        input=wanted.encode(),
        capture_output=True,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise Refusal(f"{folder} could not be filled: {said[-1000:]}")
    times = (told.split() for told in done.stdout.decode().splitlines())
    written = {service: float(seconds) for service, seconds in times}
    try:
        stale_containers.stop(settings["COMPOSE_PROJECT_NAME"], written)
    except stale_containers.NotStopped as error:
        raise Refusal(str(error)) from error


def main() -> int:
    """Takes an env file, or this checkout's."""
    env_file = Path(os.path.realpath(sys.argv[1])) if sys.argv[1:] else CHECKOUT / ".env"
    try:
        make(env_file)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
