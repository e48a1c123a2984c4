"""Outbox: when a message was first to be told, the summary that told it, and messages found by the one they name"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAMED = {"ix_delivery_edits": "edits_id", "ix_delivery_replies_to": "replies_to_id"}
FOLDED = {"ix_delivery_folded_into": "folded_into_id"}
ORDER = ["state", "priority", "rank", "send_after"]


def upgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("folded_into_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            "fk_delivery_folded_into_id", "delivery", ["folded_into_id"], ["id"], ondelete="SET NULL"
        )
    op.drop_index("ix_delivery_due", "delivery")
    op.create_index("ix_delivery_due", "delivery", [*ORDER, "id"])
    for name, column in (NAMED | FOLDED).items():
        some = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "delivery", [column], sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    op.drop_index("ix_delivery_due", "delivery")
    op.create_index("ix_delivery_due", "delivery", ORDER)
    for name in NAMED | FOLDED:
        op.drop_index(name, "delivery")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_constraint("fk_delivery_folded_into_id", type_="foreignkey")
        batch_op.drop_column("folded_into_id")
        batch_op.drop_column("due_at")
