"""Troubles are told once they last; memos: what Tocsin remembers of itself over a restart"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trouble", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE trouble SET told_at = since")  # until now a row meant that admins were told
    op.create_table(
        "memo",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("memo")
    op.execute("DELETE FROM trouble WHERE told_at IS NULL")
    op.drop_column("trouble", "told_at")
