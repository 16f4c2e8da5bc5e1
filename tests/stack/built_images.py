"""Images that only tests use, on top of those of this checkout."""

from __future__ import annotations

import hashlib
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from .stacks import image_namespace


def image(engine: docker.DockerClient, folder: Path, service: str) -> str:
    """Its name, after the folder; it is built once for each content of the folder, on the image of
    the service."""
    content = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    digest = hashlib.sha256(content).hexdigest()[:12]
    name = f"{image_namespace()}-{folder.name}:{digest}"
    try:
        engine.images.get(name)
    except ImageNotFound:
        base = {"BASE_IMAGE": f"{image_namespace()}-{service}"}
        engine.images.build(path=str(folder), tag=name, buildargs=base)
    return name
