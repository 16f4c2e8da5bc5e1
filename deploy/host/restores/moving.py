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
from host.restores import filling, switching
from host.restores.generations import SETTING, Generation
from host.stack import Stack
from host.toolbox import Toolbox

# What the journal says until the other stack has its data.
UNFINISHED = "into"
PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
PORTS = ("APP_PORT", "HTTP_PORT", "HTTPS_PORT")


def clean(journal: Journal) -> None:
    """Removes what a killed run left of another stack."""
    left = journal.read().get(UNFINISHED)
    if left:
        Generation(left, "").remove()


def restore_into(
    stack: Stack, toolbox: Toolbox, target: Target, name: str, journal: Journal
) -> Stack:
    """Returns the other stack, which runs. Raises HostError, and then there is none."""
    made, env_file = Generation(name, ""), stack.env_file.with_name(f"{stack.env_file.name}.{name}")
    _require_new(name, env_file, made)
    repository = Repository(toolbox)
    checking.check(toolbox, repository, target.manifest)
    journal.note(**{UNFINISHED: name})
    try:
        filling.fill(toolbox, repository, target, made, beside=False)
        env.write(env_file, _settings(stack, toolbox, name))
        other = Stack(stack.folder, env_file)
        _make_secrets(other)
        output.complain("starting the other stack")
        other.compose("up", "--detach", "--wait", "--no-build")
    except BaseException:
        toolbox.remove_leftovers()
        if env_file.exists():
            Stack(stack.folder, env_file).compose("down", "--volumes")
            env_file.unlink()
        made.remove()
        raise
    journal.clear()
    return other


def _require_new(name: str, env_file: Path, made: Generation) -> None:
    if not PROJECT.match(name):
        raise WrongUse(f"{name!r} is no name of a project: use a-z, 0-9, - and _, a-z or 0-9 first")
    if env_file.exists():
        raise WrongUse(f"{env_file} is there already; choose another name, or remove that stack")
    there = [volume for volume in made.volumes if engine.find_volume(volume)]
    if there:
        raise WrongUse(f"volume {there[0]} is there already; choose another name")


def _settings(stack: Stack, toolbox: Toolbox, name: str) -> str:
    """Those of the stack, with all that two stacks of one machine can't share."""
    text = stack.env_file.read_text(encoding="utf-8", errors="surrogateescape")
    images = str(toolbox.config["services"]["postgres"]["image"]).rpartition("-")[0]
    settings = {
        # Two databases of one origin would spoil each other's archive; it has a volume of its own.
        "BACKUP_S3_BUCKET": "",
        "COMPOSE_PROJECT_NAME": name,
        "IMAGE_NAMESPACE": images,
        "PUBLIC_BIND": "127.0.0.1",
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
