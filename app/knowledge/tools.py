"""What the steps of the ingestion work with."""

from dataclasses import dataclass

from app.db.session import Database
from app.embedders.pool import Embedders
from app.knowledge.files import Files
from app.settings import Settings
from app.vectors.library import QdrantClient


@dataclass(frozen=True)
class Tools:
    """Built once for each process."""

    database: Database
    qdrant: QdrantClient
    files: Files
    embedders: Embedders
    settings: Settings
