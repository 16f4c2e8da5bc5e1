"""organizations, users, diagrams"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("invitation_code", sa.String(50)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("code"),
        sa.UniqueConstraint("invitation_code"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("phone", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("name", sa.String(100)),
        sa.Column("organization_id", sa.Integer(), sa.ForeignKey("organizations.id")),
        sa.Column("avatar", sa.String(50)),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_login", MOMENT),
        sa.CheckConstraint("role IN ('user', 'manager', 'admin')", name="role"),
        sa.UniqueConstraint("phone"),
    )
    op.create_index("ix_users_organization_id", "users", ["organization_id"])
    op.create_table(
        "diagrams",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("diagram_type", sa.String(50), nullable=False),
        sa.Column("language", sa.String(10), nullable=False),
        sa.Column("spec", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index(
        "ix_diagrams_user_id_updated_at_id", "diagrams", ["user_id", "updated_at", "id"]
    )
    trash = sa.text("is_deleted")
    op.create_index(
        "ix_diagrams_trash", "diagrams", ["updated_at"], postgresql_where=trash, sqlite_where=trash
    )


def downgrade() -> None:
    op.drop_table("diagrams")
    op.drop_table("users")
    op.drop_table("organizations")
