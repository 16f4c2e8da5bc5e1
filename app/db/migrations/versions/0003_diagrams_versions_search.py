"""pins, thumbnails, versions and full-text search of diagrams"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OLD_INDEX = "ix_diagrams_user_id_updated_at_id"


def upgrade() -> None:
    op.add_column("diagrams", sa.Column("thumbnail", sa.Text()))
    op.add_column(
        "diagrams", sa.Column("is_pinned", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column(
        "diagrams", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    with op.batch_alter_table("diagrams") as diagrams:
        diagrams.create_check_constraint("version", "version >= 1")
    # The release before this one lists by user and time: the new index serves it too, with a sort.
    op.create_index(
        "ix_diagrams_owned", "diagrams", ["user_id", "is_deleted", "is_pinned", "updated_at", "id"]
    )
    op.drop_index(OLD_INDEX, "diagrams")
    _versions()
    _texts()
    if op.get_bind().dialect.name == "sqlite":
        _full_text_index()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE diagram_texts_fts")
    op.drop_table("diagram_texts")
    op.drop_table("diagram_versions")
    op.create_index(OLD_INDEX, "diagrams", ["user_id", "updated_at", "id"])
    op.drop_index("ix_diagrams_owned", "diagrams")
    with op.batch_alter_table("diagrams") as diagrams:
        diagrams.drop_constraint("version", type_="check")
        diagrams.drop_column("version")
        diagrams.drop_column("is_pinned")
        diagrams.drop_column("thumbnail")


def _versions() -> None:
    op.create_table(
        "diagram_versions",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column(
            "diagram_id",
            sa.String(36),
            sa.ForeignKey("diagrams.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("diagram_type", sa.String(50), nullable=False),
        sa.Column("language", sa.String(10), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("saved_at", MOMENT, nullable=False),
        sa.UniqueConstraint("diagram_id", "version"),
    )


def _texts() -> None:
    terms = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
    op.create_table(
        "diagram_texts",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column(
            "diagram_id",
            sa.String(36),
            sa.ForeignKey("diagrams.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("terms", terms, nullable=False),
        sa.Column("source_updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("diagram_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_diagram_texts_terms", "diagram_texts", ["terms"], postgresql_using="gin"
        )


def _full_text_index() -> None:
    # The terms are made by the service, the same for both engines; here they are only told apart.
    # To the tokenizer `ascii` every character beyond ASCII is a letter, so it changes none.
    op.execute(
        "CREATE VIRTUAL TABLE diagram_texts_fts USING fts5("
        "terms, content='diagram_texts', content_rowid='id', tokenize='ascii', detail='none')"
    )
    insert = "INSERT INTO diagram_texts_fts (rowid, terms) VALUES (new.id, new.terms);"
    remove = (
        "INSERT INTO diagram_texts_fts (diagram_texts_fts, rowid, terms) "
        "VALUES ('delete', old.id, old.terms);"
    )
    for name, event, action in (
        ("added", "INSERT", insert),
        ("changed", "UPDATE", remove + insert),
        ("removed", "DELETE", remove),
    ):
        op.execute(
            f"CREATE TRIGGER diagram_texts_{name} AFTER {event} ON diagram_texts BEGIN {action} END"
        )
