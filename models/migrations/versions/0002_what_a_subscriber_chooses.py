"""What a subscriber chooses: regions, pairs, signals, quiet hours, time zone, digest, how messages look"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_REQUIRED: dict[str, tuple[Any, Any]] = {
    "regions": (sa.JSON(), "[]"),
    "dyads": (sa.JSON(), "[]"),
    "muted_dyads": (sa.JSON(), "[]"),
    "signals": (sa.JSON(), "[]"),
    "break_through": (sa.Integer(), "3"),
    "timezone": (sa.String(length=64), ""),
    "link_previews": (sa.Boolean(), sa.false()),
    "silent": (sa.Boolean(), sa.false()),
    "language": (sa.String(length=8), "en"),
}
_OPTIONAL: dict[str, Any] = {
    "quiet_from": sa.String(length=5),
    "quiet_until": sa.String(length=5),
    "digest_weekday": sa.Integer(),
    "digest_at": sa.String(length=5),
}


def upgrade() -> None:
    with op.batch_alter_table("subscriber", schema=None) as batch_op:
        for name, (kind, value) in _REQUIRED.items():
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default=value))
        for name, kind in _OPTIONAL.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    with op.batch_alter_table("subscriber", schema=None) as batch_op:
        for name, (kind, _value) in _REQUIRED.items():  # the defaults were for rows that were there already
            batch_op.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("subscriber", schema=None) as batch_op:
        for name in [*_OPTIONAL, *_REQUIRED]:
            batch_op.drop_column(name)
