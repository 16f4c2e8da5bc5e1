"""The env file's part of a backup, and that of the files which it names."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Dict

import env_format
import secret_files

from host import output
from host.backups.manifest import Manifest, Part
from host.backups.repository import Repository
from host.errors import HostError, WrongUse
from host.stack import Stack

NAME, NAMED = "configuration", "named-files"
KEY = "BACKUP_KEY"
# Settings that name a file of the machine.
SETTINGS = (*secret_files.SITE_FILES.values(), "BACKUP_S3_CA", "DATABASE_CA")
FILE = "env"


def save(stack: Stack, repository: Repository, backup: str) -> Dict[str, Part]:
    """Without the key, which must not be where what it opens is."""
    parts = {NAME: repository.save_stream(NAME, backup, _without_key(stack))}
    named = _named(stack)
    if named:
        text = io.BytesIO(json.dumps(named).encode())
        parts[NAMED] = repository.save_stream(NAMED, backup, text)
    return parts


def bring(repository: Repository, manifest: Manifest, folder: Path, key: str) -> Dict[str, str]:
    """Writes the env file as FOLDER/env, with the key, and each named file as FOLDER/SETTING.

    Returns:
        Where each named file was, by its setting.

    Raises:
        WrongUse: the folder is there already.
        Unreadable: it is not what was stored, and nothing was written.
    """
    if NAME not in manifest.parts:
        raise HostError(f"backup {manifest.id} has no settings")
    text = repository.read(NAME, manifest.parts[NAME])
    named: Dict[str, Dict[str, str]] = {}
    if NAMED in manifest.parts:
        named = json.loads(repository.read(NAMED, manifest.parts[NAMED]))
    _make(folder)
    gap = "" if text.endswith("\n") else "\n"
    text += f"{gap}# It has opened this backup.\n{KEY}={env_format.quote(key)}\n"
    _write(folder / FILE, text.encode())
    for setting in sorted(named):
        _write(folder / setting, base64.b64decode(named[setting]["content"]))
    return {setting: named[setting]["path"] for setting in sorted(named)}


def _without_key(stack: Stack) -> io.BytesIO:
    text = stack.env_file.read_text(encoding="utf-8", errors="surrogateescape")
    kept = [line for line in text.splitlines(True) if not line.lstrip().startswith(f"{KEY}=")]
    return io.BytesIO("".join(kept).encode("utf-8", "surrogateescape"))


def _named(stack: Stack) -> Dict[str, Dict[str, str]]:
    settings, found = stack.settings(), {}
    for name in SETTINGS:
        try:
            content = secret_files.read(name, settings)
        except secret_files.Refusal as refusal:
            output.complain(f"the backup goes without it: {refusal}")
            continue
        if content:
            encoded = base64.b64encode(content).decode()
            found[name] = {"path": settings[name], "content": encoded}
    return found


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise WrongUse(f"{folder} can't be made as a new folder: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
