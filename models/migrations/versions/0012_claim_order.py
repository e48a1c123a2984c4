"""Outbox: the order in which messages are claimed is that of an index, whatever number of them is due"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _turn(former: str, new: str, columns: list[str]) -> None:
    """Keep in `new` the negative of `former`, and index by `columns`."""
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_due")
        batch_op.add_column(sa.Column(new, sa.Integer(), nullable=False, server_default="0"))
    rows = sa.table("delivery", sa.column(former), sa.column(new))
    op.execute(rows.update().values({new: -rows.c[former]}))
    with op.batch_alter_table("delivery", schema=None) as batch_op:  # the default was for rows that were there already
        batch_op.alter_column(new, existing_type=sa.Integer(), existing_nullable=False, server_default=None)
        batch_op.drop_column(former)
        batch_op.create_index("ix_delivery_due", columns)


def upgrade() -> None:
    _turn("urgency", "rank", ["state", "priority", "rank", "send_after"])


def downgrade() -> None:
    _turn("rank", "urgency", ["state", "priority", "send_after"])
