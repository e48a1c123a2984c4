"""Outbox: urgency, whether a claimed row was begun, and messages that edit or answer an earlier one"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_REQUIRED: dict[str, tuple[Any, Any]] = {"urgency": (sa.Integer(), "0"), "begun": (sa.Boolean(), sa.false())}
_REFERENCES = ("edits_id", "replies_to_id")


def upgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        for name, (kind, value) in _REQUIRED.items():
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default=value))
        for name in _REFERENCES:
            batch_op.add_column(sa.Column(name, sa.Integer(), nullable=True))
            batch_op.create_foreign_key(f"fk_delivery_{name}", "delivery", [name], ["id"], ondelete="SET NULL")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        for name, (kind, _value) in _REQUIRED.items():  # the defaults were for rows that were there already
            batch_op.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
        batch_op.create_index("ix_delivery_due", ["state", "priority", "send_after"])


def downgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_due")
        for name in _REFERENCES:
            batch_op.drop_constraint(f"fk_delivery_{name}", type_="foreignkey")
        for name in [*_REFERENCES, *_REQUIRED]:
            batch_op.drop_column(name)
