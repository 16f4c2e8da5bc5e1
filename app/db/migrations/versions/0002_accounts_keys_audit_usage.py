"""session epochs, password resets, API keys, audit trail, token usage"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BCRYPT = sa.text("password_hash LIKE '$2%'")
WITH_KEY = sa.text("api_key_id IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "users", sa.Column("session_epoch", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_users_bcrypt", "users", ["id"], postgresql_where=BCRYPT, sqlite_where=BCRYPT
    )
    if op.get_bind().dialect.name == "sqlite":
        _number_once()
    _password_resets()
    _api_keys()
    _audit_events()
    _token_usage()


def downgrade() -> None:
    for table in ("token_usage", "audit_events", "api_keys", "password_resets"):
        op.drop_table(table)
    op.drop_index("ix_users_bcrypt", "users")
    with op.batch_alter_table("users") as users:
        users.drop_column("session_epoch")


def _number_once() -> None:
    # SQLite gives the number of a deleted row to the next one. It is told so when a table is made.
    for table in ("organizations", "users"):
        with op.batch_alter_table(
            table, recreate="always", table_kwargs={"sqlite_autoincrement": True}
        ):
            pass


def _password_resets() -> None:
    op.create_table(
        "password_resets",
        sa.Column("user_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("token_hash"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(12), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.String(500)),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column(
            "organization_id", sa.Integer(), sa.ForeignKey("organizations.id", ondelete="CASCADE")
        ),
        sa.Column("scopes", sa.String(200), server_default="", nullable=False),
        sa.Column("quota_limit", sa.Integer()),
        sa.Column("usage_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT),
        sa.Column("expires_at", MOMENT),
        sa.CheckConstraint("quota_limit >= 0", name="quota_limit"),
        sa.CheckConstraint("usage_count >= 0", name="usage_count"),
        sa.UniqueConstraint("key_hash"),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_index("ix_api_keys_organization_id", "api_keys", ["organization_id"])


def _audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="SET NULL")),
        sa.Column("actor", sa.String(254), nullable=False),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("target_type", sa.String(30), nullable=False),
        sa.Column("target_id", sa.String(36), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("request_id", sa.String(64)),
    )
    op.create_index("ix_audit_events_actor_id_id", "audit_events", ["actor_id", "id"])
    op.create_index("ix_audit_events_target", "audit_events", ["target_type", "target_id", "id"])


def _token_usage() -> None:
    op.create_table(
        "token_usage",
        sa.Column("id", ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("event_id", sa.String(36)),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="SET NULL")),
        sa.Column(
            "organization_id", sa.Integer(), sa.ForeignKey("organizations.id", ondelete="SET NULL")
        ),
        sa.Column("api_key_id", sa.Integer(), sa.ForeignKey("api_keys.id", ondelete="SET NULL")),
        sa.Column("session_id", sa.String(100)),
        sa.Column("conversation_id", sa.String(100)),
        sa.Column("model_provider", sa.String(50)),
        sa.Column("model_name", sa.String(100)),
        sa.Column("model_alias", sa.String(50)),
        sa.Column("input_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("input_cost", sa.Double()),
        sa.Column("output_cost", sa.Double()),
        sa.Column("total_cost", sa.Double()),
        sa.Column("request_type", sa.String(50)),
        sa.Column("diagram_type", sa.String(50)),
        sa.Column("endpoint_path", sa.String(200)),
        sa.Column("success", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("response_time", sa.Double()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "input_tokens >= 0 AND output_tokens >= 0 AND total_tokens >= 0", name="tokens"
        ),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("ix_token_usage_user_id_created_at", "token_usage", ["user_id", "created_at"])
    op.create_index(
        "ix_token_usage_organization_id_created_at",
        "token_usage",
        ["organization_id", "created_at"],
    )
    op.create_index(
        "ix_token_usage_api_key_id",
        "token_usage",
        ["api_key_id"],
        postgresql_where=WITH_KEY,
        sqlite_where=WITH_KEY,
    )
    op.create_index(
        "ix_token_usage_created_at", "token_usage", ["created_at"], postgresql_using="brin"
    )
