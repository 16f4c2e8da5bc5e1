from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, JsonList, JsonObject, RowId, UtcDateTime
from app.db.terms import Terms

DUE = text("due_at IS NOT NULL")
SERVING = text("state = 'active'")
BUILDING = text("state = 'building'")


class Document(Base):
    """What somebody uploaded, under one name through all its versions."""

    # Not `knowledge_documents`: SQLite files from before PostgreSQL have such a table, another one.
    __tablename__ = "documents"
    __table_args__ = (
        # The same file twice is one document, also for two uploads at once.
        UniqueConstraint("user_id", "sha256"),
        # One's documents newest first, and their keyset paging.
        Index("ix_documents_owned", "user_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    # No cascade: whoever deletes a user deletes the documents first, with points and files.
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    # The file's, with its ending.
    name: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(String(300))
    # Of the newest version's file.
    sha256: Mapped[str] = mapped_column(String(64))
    # What clients want to remember about it; nothing here reads it.
    details: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    # The number of the newest version.
    newest: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    # The number of the version that is found by a search; None until the first one is ready.
    current: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Tag(Base):
    """A tag of a document."""

    __tablename__ = "knowledge_tags"
    # Which documents have a tag; the key answers which tags a document has.
    __table_args__ = (Index("ix_knowledge_tags_tag", "tag"),)

    # It goes with its document.
    document_id: Mapped[str] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(50), primary_key=True)


class Version(Base):
    """A file that was uploaded for a document, and how far it has come."""

    __tablename__ = "knowledge_versions"
    __table_args__ = (
        # One of two replacements at once is the later one.
        UniqueConstraint("document_id", "number"),
        # What a file must be kept for.
        Index("ix_knowledge_versions_sha256", "sha256"),
        # What is next for the worker: few rows of many.
        Index("ix_knowledge_versions_due", "due_at", postgresql_where=DUE, sqlite_where=DUE),
    )

    # Never given to another one, not even after a restored backup: points are known by it.
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    # It goes with its document.
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    # Bytes.
    size: Mapped[int] = mapped_column(BigInteger)
    # Found out when it is read, as are the next three.
    media_type: Mapped[str | None] = mapped_column(String(100))
    # What is embedded with passages below no heading.
    title: Mapped[str | None] = mapped_column(String(300))
    pages: Mapped[int | None]
    characters: Mapped[int | None] = mapped_column(BigInteger)
    # See states.py.
    state: Mapped[str] = mapped_column(String(12))
    # How many chunks it has, and how many of them are embedded.
    chunks: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    embedded: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # Why it failed, or what it waits for: an error's name and what people read.
    error: Mapped[str | None] = mapped_column(String(50))
    problem: Mapped[str | None] = mapped_column(String(500))
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # When a worker is to look at it; None when it needs none any more.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Of the worker that has it now, and until when unless it says more.
    claim: Mapped[str | None] = mapped_column(String(36))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Chunk(Base):
    """A passage of a version: a point in Qdrant."""

    __tablename__ = "knowledge_chunks"
    __table_args__ = (
        # A step that runs twice makes no second chunk; a version's chunks in their order.
        UniqueConstraint("version_id", "ordinal"),
        # Whether a kept vector is still of some chunk.
        Index("ix_knowledge_chunks_embedding_key", "embedding_key"),
        # The keyword search without Qdrant. On SQLite the migration makes a full-text index.
        Index("ix_knowledge_chunks_terms", "terms", postgresql_using="gin").ddl_if(
            dialect="postgresql"
        ),
    )

    # SQLite's full-text index refers to a row by its number.
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # It goes with its version.
    version_id: Mapped[str] = mapped_column(ForeignKey("knowledge_versions.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    # Of its point, made from version and ordinal. The key of what Qdrant answers.
    point_id: Mapped[UUID] = mapped_column(Uuid, unique=True)
    # Characters in the text of the version.
    start_offset: Mapped[int]
    end_offset: Mapped[int]
    content: Mapped[str] = mapped_column(Text)
    page: Mapped[int | None]
    # The headings above it, the highest first.
    headings: Mapped[list[str]] = mapped_column(JsonList)
    tokens: Mapped[int]
    # Of its embedding: sha256 of the text that is embedded.
    embedding_key: Mapped[str] = mapped_column(String(64))
    terms: Mapped[list[str]] = mapped_column(Terms)


class Embedding(Base):
    """A vector, kept so that the same text is embedded once by the same model."""

    __tablename__ = "knowledge_embeddings"
    # Those that nobody needs any more are looked for by their age.
    __table_args__ = (Index("ix_knowledge_embeddings_created_at", "created_at"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    dimension: Mapped[int] = mapped_column(primary_key=True)
    # Numbers of four bytes, the lowest byte first.
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VectorIndex(Base):
    """A collection in Qdrant and the model of its vectors. Searches use the active one."""

    __tablename__ = "knowledge_indexes"
    __table_args__ = (
        # One is searched, and one can be built beside it.
        Index(
            "ix_knowledge_indexes_active",
            "state",
            unique=True,
            postgresql_where=SERVING,
            sqlite_where=SERVING,
        ),
        # As above.
        Index(
            "ix_knowledge_indexes_building",
            "state",
            unique=True,
            postgresql_where=BUILDING,
            sqlite_where=BUILDING,
        ),
        # A misspelt state would be an index that nobody sees.
        CheckConstraint("state IN ('active', 'building', 'retired')", name="state"),
    )

    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # Two indexes never share one.
    collection: Mapped[str] = mapped_column(String(100), unique=True)
    model: Mapped[str] = mapped_column(String(200))
    dimension: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    # The last chunk that a rebuild has put in.
    filled_to: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Turn(Base):
    """When a worker last took something of a user: who has waited longest is next."""

    __tablename__ = "knowledge_turns"

    # No foreign key: it would lock the user after the version, and others lock them before.
    user_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Removal(Base):
    """A version whose points are to be deleted: written with what makes them superfluous."""

    __tablename__ = "knowledge_removals"
    # Which are due, oldest first.
    __table_args__ = (Index("ix_knowledge_removals_due_at", "due_at"),)

    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # No foreign key: the version is gone, or will be.
    version_id: Mapped[str] = mapped_column(String(36))
    # Not before: until then a worker may still write points of it.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Search(Base):
    """A search or question that somebody asked, and what was found."""

    __tablename__ = "knowledge_searches"
    __table_args__ = (
        # One's history, newest first, and what goes with a user.
        Index("ix_knowledge_searches_owned", "user_id", "id"),
        # On SQLite as well the number of a deleted one is never given to the next one: feedback
        # that comes late must not be another search's.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # It goes with its user.
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    query: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(String(10))
    # Whether an answer was asked for.
    kind: Mapped[str] = mapped_column(String(10))
    # Documents and passages in the order of their rank.
    hits: Mapped[list[dict[str, Any]]] = mapped_column(JsonList)
    milliseconds: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Feedback(Base):
    """Whether a hit was useful."""

    __tablename__ = "knowledge_feedback"

    # It goes with its search.
    search_id: Mapped[int] = mapped_column(
        ForeignKey("knowledge_searches.id", ondelete="CASCADE"), primary_key=True
    )
    # Of the hit, from 1; 0 is the search as a whole.
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    useful: Mapped[bool]
    comment: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
