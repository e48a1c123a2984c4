"""Articles: a page within a time, and what waits to be read, are found without a look at the rest of the archive"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UNREAD = sa.text("unread_revision IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_article_canonical_url", table_name="article")
    op.create_index("ix_article_page", "article", ["canonical_url", "news_at", "feed_id"], unique=False)
    op.drop_index("ix_article_unread_revision", table_name="article")
    op.create_index("ix_article_unread", "article", ["news_at"], sqlite_where=UNREAD, postgresql_where=UNREAD)


def downgrade() -> None:
    op.drop_index("ix_article_unread", table_name="article")
    op.create_index("ix_article_unread_revision", "article", ["unread_revision"], unique=False)
    op.drop_index("ix_article_page", table_name="article")
    op.create_index("ix_article_canonical_url", "article", ["canonical_url"], unique=False)
