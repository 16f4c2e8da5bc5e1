"""What makes up a version of a diagram: a change of anything else is no new version."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIELDS = ("title", "diagram_type", "language", "spec")


def of(one: Any) -> dict[str, Any]:
    """The content of a diagram, a version of one or a payload."""
    return {name: getattr(one, name) for name in FIELDS}


def fingerprint(content: Mapping[str, Any]) -> str:
    """The same for equal contents alone: Python takes 1, 1.0 and True for equal, JSON doesn't."""
    parts = [content[name] for name in FIELDS]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
