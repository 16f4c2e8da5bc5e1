"""The code of the previous release: what the history has from before the newest migrations."""

import io
import subprocess
import tarfile
from pathlib import Path

from app.db import migrations
from tests.places import CHECKOUT


def unpack(folder: Path) -> Path:
    """Puts the package `app` of the last commit with another head into the folder.

    Returns:
        The folder, for Python's path.
    """
    revision = _git("rev-list", "-1", _last_with_another_head()).strip().decode()
    archive = _git("archive", "--format=tar", revision, "app")
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return folder


def _last_with_another_head() -> str:
    head = next(migrations.FOLDER.glob(f"versions/{migrations.head()}_*.py"))
    added = _git("log", "--format=%H", "--diff-filter=A", "--", str(head)).split()
    # The migrations that came together are one release's; before it is committed, HEAD has none.
    return f"{added[-1].decode()}^" if added else "HEAD"


def is_there() -> bool:
    """Whether this checkout has its history: an archive or a shallow clone hasn't."""
    asked = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    return asked.stdout.strip() == b"false"


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, check=True).stdout
