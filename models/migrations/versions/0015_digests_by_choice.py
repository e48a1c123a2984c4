"""Digests: one per chart, because a chat that chose pairs has a chart of these"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("digest", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pairs", sa.String(), nullable=False, server_default=""))
        batch_op.drop_constraint("uq_digest_span", type_="unique")
        batch_op.create_unique_constraint("uq_digest_span", ["since", "until", "minutes_ahead", "pairs"])
    with op.batch_alter_table("digest", schema=None) as batch_op:  # the default was for rows that were there already
        batch_op.alter_column("pairs", existing_type=sa.String(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    op.execute("UPDATE delivery SET digest_id = NULL WHERE digest_id IN (SELECT id FROM digest WHERE pairs <> '')")
    op.execute("DELETE FROM digest WHERE pairs <> ''")
    with op.batch_alter_table("digest", schema=None) as batch_op:
        batch_op.drop_constraint("uq_digest_span", type_="unique")
        batch_op.create_unique_constraint("uq_digest_span", ["since", "until", "minutes_ahead"])
        batch_op.drop_column("pairs")
