from dataclasses import dataclass
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.db.pooler import Pool
from app.health.schemas import ServiceHealth
from app.knowledge.schemas import Backlog


class Queue(BaseModel):
    """The jobs in Redis, and who takes them."""

    model_config = ConfigDict(from_attributes=True)

    waiting: int
    running: int
    delayed: int = Field(description="They failed and are tried again.")
    dead: int = Field(description="They failed for the last time.")
    workers: int = Field(description="Workers that were heard of in the last minute.")


class Connections(BaseModel):
    """Of all clients to the database's server."""

    used: int
    allowed: int


class Disk(BaseModel):
    """The disk that the data folder is on, in bytes. `free` is what the service may still write.

    What the system keeps for others counts neither as free nor to the size, as `df` reckons.
    """

    free: int
    size: int


class Backup(BaseModel):
    """The last backup, as whoever makes backups reports it."""

    model_config = ConfigDict(extra="ignore")

    finished_at: AwareDatetime
    kind: str = Field("backup", max_length=40, examples=["full"])
    ok: bool = True
    size: int | None = Field(None, ge=0, description="Bytes.")


@dataclass(frozen=True)
class Observed:
    """What was found out in the last seconds; None where there was no answer."""

    backlog: Backlog | None
    connections: Connections | None
    queue: Queue | None
    sessions: int | None
    pool: Pool | None
    # The version of Qdrant.
    vectors: str | None


class StatusOut(BaseModel):
    """How the installation is. What could not be found out is null, and `problems` says so."""

    at: datetime
    version: str
    revision: str = Field(description="The commit that this release was built from.")
    environment: str
    maintenance: bool
    ready: bool
    services: dict[str, ServiceHealth]
    queue: Queue | None
    documents: Backlog | None
    sessions: int | None
    connections: Connections | None = Field(description="Null also where the database is a file.")
    disk: Disk
    backup: Backup | None
    problems: list[str]
