"""A dump of the running database, with the sums of its tables at the same moment."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, Dict, Iterator, Tuple

from host.backups import manifest
from host.backups.manifest import Table
from host.backups.postgres import SERVICE, SOCKET
from host.errors import HostError
from host.stack import Stack

Tables = Dict[str, Table]


class NotDumped(HostError):
    """The database could not be read to its end."""


@contextmanager
def begun(stack: Stack, compression: int) -> Iterator[Tuple[Tables, IO[bytes]]]:
    """The sums, and a stream with what pg_dump writes. Raises NotDumped, also at the end."""
    command = ("exec", "--no-TTY", SERVICE, "mindgraph-dump", SOCKET, str(compression))
    with stack.start(*command) as process:
        assert process.stdout
        assert process.stderr
        lines = []
        line = process.stdout.readline().decode().rstrip("\n")
        while line:
            lines.append(line)
            line = process.stdout.readline().decode().rstrip("\n")
        try:
            if lines:
                yield manifest.tables(lines), process.stdout
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode(errors="replace").strip()
        if process.wait() or not lines:
            raise NotDumped(f"the database can't be read: {said[-1500:]}")
