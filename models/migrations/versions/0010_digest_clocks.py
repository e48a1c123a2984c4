"""Digests: one a span and clock, because each names the days of its readers"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NEW, CONVENTION = "uq_digest_span", {"uq": "%(table_name)s_%(column_0_N_name)s_key"}
FORMER = "digest_since_until_key"  # as PostgreSQL named it; SQLite had no name for it, and is told this one


def upgrade() -> None:
    with op.batch_alter_table("digest", schema=None, naming_convention=CONVENTION) as batch_op:
        batch_op.add_column(sa.Column("minutes_ahead", sa.Integer(), nullable=False, server_default="0"))
        batch_op.drop_constraint(FORMER, type_="unique")
        batch_op.create_unique_constraint(NEW, ["since", "until", "minutes_ahead"])
    with op.batch_alter_table("digest", schema=None) as batch_op:  # the default was for rows that were there already
        batch_op.alter_column("minutes_ahead", existing_type=sa.Integer(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM digest WHERE id NOT IN (SELECT min(id) FROM digest GROUP BY since, until)")
    with op.batch_alter_table("digest", schema=None) as batch_op:
        batch_op.drop_constraint(NEW, type_="unique")
        batch_op.create_unique_constraint(FORMER, ["since", "until"])
        batch_op.drop_column("minutes_ahead")
