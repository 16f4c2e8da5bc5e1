"""What a backup holds, in one file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from host.errors import HostError

# Of this text. A newer release reads the older ones.
FORMAT = 1


class WrongManifest(HostError):
    """What is stored as a manifest isn't one that this release can read."""


@dataclass(frozen=True)
class Database:
    """`label` is pgBackRest's; sizes are in bytes, its own and what was stored."""

    label: str
    kind: str
    version: str
    system: str
    started: str
    finished: str
    size: int
    stored: int


@dataclass(frozen=True)
class Point:
    """The restore point in the write-ahead log that the backup is restored to."""

    name: str
    position: str
    time: str


@dataclass(frozen=True)
class Table:
    rows: int
    checksum: str


@dataclass(frozen=True)
class Part:
    """A snapshot in restic's repository. `sha256` is of a stream; a folder has none."""

    snapshot: str
    size: int
    files: int
    sha256: str


@dataclass(frozen=True)
class Vectors:
    """The search index in Qdrant. Without a snapshot of it there is a reason, and no part."""

    collection: str = ""
    model: str = ""
    dimension: int = 0
    points: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Manifest:
    id: str
    project: str
    release: str
    database: Database
    point: Point
    tables: dict[str, Table]
    parts: dict[str, Part]
    vectors: Vectors = Vectors(reason="the backup is of a release that made none")
    format: int = FORMAT

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True)

    @property
    def size(self) -> int:
        """Of what it can bring back, in bytes."""
        return self.database.size + sum(part.size for part in self.parts.values())


def read(text: str) -> Manifest:
    """Raises WrongManifest."""
    try:
        found = json.loads(text)
        if found["format"] > FORMAT:
            raise WrongManifest(
                f"backup {found['id']} was made by a newer release; install that one"
            )
        return Manifest(
            id=found["id"],
            project=found["project"],
            release=found["release"],
            database=Database(**found["database"]),
            point=Point(**found["point"]),
            tables={name: Table(**one) for name, one in found["tables"].items()},
            parts={name: Part(**one) for name, one in found["parts"].items()},
            vectors=Vectors(**found["vectors"]) if "vectors" in found else Manifest.vectors,
            format=found["format"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WrongManifest(f"a manifest can't be read: {error!r}") from error


def tables(lines: list[str]) -> dict[str, Table]:
    """From what mindgraph-tables prints."""
    found = (line.rsplit("|", 2) for line in lines)
    return {name: Table(int(rows), checksum) for name, rows, checksum in found}


def differences(expected: dict[str, Table], found: dict[str, Table]) -> list[str]:
    """A sentence for each table that is not the same."""
    said = []
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if one is None or other is None:
            said.append(f"table {name} is {'new' if one is None else 'missing'}")
        elif one != other:
            said.append(
                f"table {name} has {other.rows} rows instead of {one.rows}, or other values"
            )
    return said
