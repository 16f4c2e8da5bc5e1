"""What programs of this machine say."""

from __future__ import annotations

import subprocess
from typing import Optional

PATIENCE_S = 60


def said(*command: str) -> Optional[str]:
    """Its standard output; None when there is no such program, or it fails or hangs."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode(errors="replace")
