"""documents of the knowledge space, their versions and chunks, vectors, searches"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TERMS = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
DUE = sa.text("due_at IS NOT NULL")
ZERO = sa.text("0")
TABLES = (
    "knowledge_feedback",
    "knowledge_searches",
    "knowledge_removals",
    "knowledge_turns",
    "knowledge_indexes",
    "knowledge_embeddings",
    "knowledge_chunks",
    "knowledge_versions",
    "knowledge_tags",
    "documents",
)


def upgrade() -> None:
    _documents()
    _tags()
    _versions()
    _chunks()
    _embeddings()
    _indexes()
    _turns()
    _removals()
    _searches()
    _feedback()
    if op.get_bind().dialect.name == "sqlite":
        _full_text_index()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE knowledge_chunks_fts")
    for table in TABLES:
        op.drop_table(table)


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("newest", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("current", sa.Integer()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("user_id", "sha256"),
    )
    op.create_index("ix_documents_owned", "documents", ["user_id", "created_at", "id"])


def _tags() -> None:
    op.create_table(
        "knowledge_tags",
        sa.Column(
            "document_id",
            sa.String(36),
            sa.ForeignKey("documents.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("tag", sa.String(50), primary_key=True),
    )
    op.create_index("ix_knowledge_tags_tag", "knowledge_tags", ["tag"])


def _versions() -> None:
    op.create_table(
        "knowledge_versions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "document_id",
            sa.String(36),
            sa.ForeignKey("documents.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(100)),
        sa.Column("title", sa.String(300)),
        sa.Column("pages", sa.Integer()),
        sa.Column("characters", sa.BigInteger()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("chunks", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("embedded", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("error", sa.String(50)),
        sa.Column("problem", sa.String(500)),
        sa.Column("attempts", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("claim", sa.String(36)),
        sa.Column("claimed_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.UniqueConstraint("document_id", "number"),
    )
    op.create_index("ix_knowledge_versions_sha256", "knowledge_versions", ["sha256"])
    op.create_index(
        "ix_knowledge_versions_due",
        "knowledge_versions",
        ["due_at"],
        postgresql_where=DUE,
        sqlite_where=DUE,
    )


def _chunks() -> None:
    op.create_table(
        "knowledge_chunks",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column(
            "version_id",
            sa.String(36),
            sa.ForeignKey("knowledge_versions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("point_id", sa.Uuid(), nullable=False),
        sa.Column("start_offset", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer()),
        sa.Column("headings", JSON, nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("embedding_key", sa.String(64), nullable=False),
        sa.Column("terms", TERMS, nullable=False),
        sa.UniqueConstraint("version_id", "ordinal"),
        sa.UniqueConstraint("point_id"),
    )
    op.create_index("ix_knowledge_chunks_embedding_key", "knowledge_chunks", ["embedding_key"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_knowledge_chunks_terms", "knowledge_chunks", ["terms"], postgresql_using="gin"
        )


def _embeddings() -> None:
    op.create_table(
        "knowledge_embeddings",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("dimension", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index("ix_knowledge_embeddings_created_at", "knowledge_embeddings", ["created_at"])


def _indexes() -> None:
    op.create_table(
        "knowledge_indexes",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("collection", sa.String(100), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("filled_to", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("collection"),
        sa.CheckConstraint("state IN ('active', 'building', 'retired')", name="state"),
    )
    for state in ("active", "building"):
        only = sa.text(f"state = '{state}'")
        op.create_index(
            f"ix_knowledge_indexes_{state}",
            "knowledge_indexes",
            ["state"],
            unique=True,
            postgresql_where=only,
            sqlite_where=only,
        )


def _turns() -> None:
    op.create_table(
        "knowledge_turns",
        sa.Column("user_id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("taken_at", MOMENT, nullable=False),
    )


def _removals() -> None:
    op.create_table(
        "knowledge_removals",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("version_id", sa.String(36), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
    )
    op.create_index("ix_knowledge_removals_due_at", "knowledge_removals", ["due_at"])


def _searches() -> None:
    op.create_table(
        "knowledge_searches",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column(
            "user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("hits", JSON, nullable=False),
        sa.Column("milliseconds", sa.Double(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_knowledge_searches_owned", "knowledge_searches", ["user_id", "id"])


def _feedback() -> None:
    op.create_table(
        "knowledge_feedback",
        sa.Column(
            "search_id",
            ROW_ID,
            sa.ForeignKey("knowledge_searches.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("rank", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("useful", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.String(500)),
        sa.Column("created_at", MOMENT, nullable=False),
    )


def _full_text_index() -> None:
    # As for diagrams: the service makes the terms, and to the tokenizer `ascii` every character
    # beyond ASCII is a letter.
    op.execute(
        "CREATE VIRTUAL TABLE knowledge_chunks_fts USING fts5("
        "terms, content='knowledge_chunks', content_rowid='id', tokenize='ascii', detail='none')"
    )
    insert = "INSERT INTO knowledge_chunks_fts (rowid, terms) VALUES (new.id, new.terms);"
    remove = (
        "INSERT INTO knowledge_chunks_fts (knowledge_chunks_fts, rowid, terms) "
        "VALUES ('delete', old.id, old.terms);"
    )
    # A chunk is never changed: it comes and goes with its version.
    for name, event, action in (("added", "INSERT", insert), ("removed", "DELETE", remove)):
        op.execute(
            f"CREATE TRIGGER knowledge_chunks_{name} AFTER {event} ON knowledge_chunks "
            f"BEGIN {action} END"
        )
