"""The images of this checkout, which the servers of benchmarks are started from."""

from __future__ import annotations

import json
import os
import subprocess

NAMESPACE = "MINDGRAPH_TEST_IMAGES"


def ensure_named() -> str:
    """Their namespace: the one that the environment names, or else that of the checkout's stack."""
    if NAMESPACE not in os.environ:
        shown = subprocess.run(
            ["docker", "compose", "config", "--format", "json"], check=True, capture_output=True
        )
        image = str(json.loads(shown.stdout)["services"]["postgres"]["image"])
        os.environ[NAMESPACE] = image.removesuffix("-postgres")
    return os.environ[NAMESPACE]
