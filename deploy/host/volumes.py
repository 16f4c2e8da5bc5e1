"""Whether the database that the env file names is there, before Compose would make an empty one."""

from __future__ import annotations

import re

from host import engine, locking
from host.errors import WrongUse
from host.restores import restoring
from host.restores.generations import SETTING, VERSION
from host.stack import Stack
from host.toolbox import POSTGRES, Toolbox

# Beside the project and the key: a version of PostgreSQL, as 18 or 17.1, and a generation.
REST = re.compile(r"(?:-([1-9][0-9](?:\.[0-9]+)*)(?=-|\Z))?(.*)\Z")


class NotThere(WrongUse):
    """Other data of the stack is there, but not what the env file names."""


def require_database(stack: Stack) -> None:
    """A very first start is let through, and a database elsewhere is not asked for.

    Raises:
        NotThere: nothing was made.
    """
    toolbox = Toolbox(stack)
    if not toolbox.is_bundled("postgres") or engine.find_volume(toolbox.volume(POSTGRES)):
        return
    found = _databases(toolbox)
    if found:
        raise NotThere(_explained(toolbox, found))


def _databases(toolbox: Toolbox) -> list[str]:
    """Volumes of the project that have one, but for that of a restore that was killed."""
    labels = {"project": toolbox.project, "volume": POSTGRES}
    filters = (f"--filter=label=com.docker.compose.{key}={labels[key]}" for key in labels)
    begun = locking.peek(toolbox.stack).get(restoring.UNFINISHED)
    found = sorted(engine.run("volume", "ls", "--quiet", *filters).split())
    return [name for name in found if not begun or not name.endswith(begun)]


def _explained(toolbox: Toolbox, found: list[str]) -> str:
    there = "".join(f"\n  {name}, with {_settings(toolbox, name)}" for name in found)
    return (
        f"{SETTING} and {VERSION} in {toolbox.stack.env_file} name the database in volume"
        f" {toolbox.volume(POSTGRES)}, which does not exist, and so the stack would be empty. Its"
        f" data is here:{there}\nPut {SETTING} and {VERSION} back to one of these. Or, if an empty"
        " database is wanted: mindgraph start --new-database"
    )


def _settings(toolbox: Toolbox, name: str) -> str:
    """The lines of an env file that lead to this volume."""
    rest = REST.match(name[len(f"{toolbox.project}_{POSTGRES}") :])
    version, generation = rest.groups("") if rest else ("", "")
    made = (engine.find_volume(name) or {}).get("CreatedAt", "")
    return f"{SETTING}={generation} and {VERSION}={version} (made {made})"
