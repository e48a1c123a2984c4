"""Readings: found by the pair they are about, and their time"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_reading_pair", "reading", ["dyad", "news_at"])


def downgrade() -> None:
    op.drop_index("ix_reading_pair", table_name="reading")
