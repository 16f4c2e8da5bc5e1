"""What the steps of the ingestion work with."""

from dataclasses import dataclass

from qdrant_client import QdrantClient

from app.db.session import Database
from app.embedders.pool import Embedders
from app.knowledge.files import Files
from app.settings import Settings


@dataclass(frozen=True)
class Tools:
    """Built once for each process."""

    database: Database
    qdrant: QdrantClient
    files: Files
    embedders: Embedders
    settings: Settings
