"""Verdicts: what people said of a text"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REFERENCES = ("article", "alert", "subscriber")


def upgrade() -> None:
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        *(sa.Column(f"{name}_id", sa.Integer(), nullable=True) for name in _REFERENCES),
        sa.Column("admin_id", sa.BigInteger(), nullable=True),
        sa.Column("direction", sa.String(), nullable=True),
        sa.Column("severity", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.ForeignKeyConstraint([f"{name}_id"], [f"{name}.id"], ondelete="SET NULL") for name in _REFERENCES),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("verdict", schema=None) as batch_op:
        for column in (*(f"{name}_id" for name in _REFERENCES), "created_at"):
            batch_op.create_index(batch_op.f(f"ix_verdict_{column}"), [column], unique=False)


def downgrade() -> None:
    op.drop_table("verdict")
