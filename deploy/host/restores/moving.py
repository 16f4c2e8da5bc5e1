"""A restore into a stack of another name, with an env file, passwords and ports of its own."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import env
import secret_files

from host import engine, output
from host.backups import checking
from host.backups.choosing import Target
from host.backups.repository import Repository
from host.errors import HostError, WrongUse
from host.locking import Journal
from host.restores import archived, filling, switching, vectors
from host.restores.generations import SETTING, VERSION, Generation
from host.stack import Stack
from host.toolbox import Toolbox

# What the journal says until the other stack has its data.
UNFINISHED = "into"
PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
PORTS = ("APP_PORT", "HTTP_PORT", "HTTPS_PORT")


def clean(stack: Stack, toolbox: Toolbox, journal: Journal) -> None:
    """Removes what a killed run left of another stack."""
    left = journal.read().get(UNFINISHED)
    if left:
        _remove(stack, toolbox, left)


def _remove(stack: Stack, toolbox: Toolbox, name: str) -> None:
    env_file = _env_file(stack, name)
    if env_file.exists():
        # Its services may run, and hold the volumes.
        Stack(stack.folder, env_file).compose("down", "--volumes")
        env_file.unlink()
    _generation(toolbox, name).remove()


def restore_into(
    stack: Stack, toolbox: Toolbox, target: Target, name: str, journal: Journal
) -> Stack:
    """Returns the other stack, which runs. Raises HostError, and then there is none."""
    target = archived.flush(stack, target)
    made, env_file = _generation(toolbox, name), _env_file(stack, name)
    _require_new(name, env_file)
    repository = Repository(toolbox)
    checking.check(toolbox, repository, target.manifest)
    journal.note(**{UNFINISHED: name})
    try:
        filled = filling.fill(toolbox, repository, target, made, beside=False)
        env.write(env_file, _settings(stack, toolbox, name))
        other = Stack(stack.folder, env_file)
        _make_secrets(other)
        output.complain("starting the other stack")
        other.compose("up", "--detach", "--wait", "--no-build")
    except BaseException:
        toolbox.remove_leftovers()
        _remove(stack, toolbox, name)
        raise
    journal.clear()
    vectors.settle(other, filled.vectors.reason)
    return other


def _generation(toolbox: Toolbox, project: str) -> Generation:
    return Generation(project, "", toolbox.settings.get(VERSION, ""))


def _env_file(stack: Stack, name: str) -> Path:
    return stack.env_file.with_name(f"{stack.env_file.name}.{name}")


def _require_new(name: str, env_file: Path) -> None:
    if not PROJECT.match(name):
        raise WrongUse(f"{name!r} is no name of a project: use a-z, 0-9, - and _, a-z or 0-9 first")
    if env_file.exists():
        raise WrongUse(f"{env_file} is there already; choose another name, or remove that stack")
    # Of another checkout as well, whatever its volumes are called: a failure would remove them.
    of_project = ("--quiet", f"--filter=label=com.docker.compose.project={name}")
    if engine.run("volume", "ls", *of_project) or engine.run("ps", "--all", *of_project):
        raise WrongUse(f"there is a stack {name} already; choose another name")


def _settings(stack: Stack, toolbox: Toolbox, name: str) -> str:
    """Those of the stack, with all that two stacks of one machine can't share."""
    text = stack.env_file.read_text(encoding="utf-8", errors="surrogateescape")
    images = str(toolbox.config["services"]["app"]["image"]).rpartition("-")[0]
    settings = {
        # Two databases must not share points of a Qdrant elsewhere, nor sessions, copies and jobs.
        "BUNDLED_QDRANT": "",
        "BUNDLED_REDIS": "",
        # Nor may it add to the backups of the other, or make room there for its own.
        "BACKUP_S3_BUCKET": "",
        "COMPOSE_PROJECT_NAME": name,
        "IMAGE_NAMESPACE": images,
        "PUBLIC_BIND": "127.0.0.1",
        "QDRANT_URL": "",
        "REDIS_HOST": "",
        "REDIS_PORT": "",
        "REDIS_URL": "",
        "SECRETS_DIR": f"{toolbox.settings.get('SECRETS_DIR') or './secrets'}-{name}",
        SETTING: "",
        **{port: str(_free_port()) for port in PORTS},
    }
    return switching.changed(text, settings)


def _make_secrets(other: Stack) -> None:
    settings = other.settings()
    if "compose.prod.yaml" not in settings.get("COMPOSE_FILE", ""):
        return
    try:
        secret_files.make(other.env_file)
    except secret_files.Refusal as error:
        raise HostError(str(error)) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
