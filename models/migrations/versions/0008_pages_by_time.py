"""Articles: the same page is looked for within a time, so that an address which thousands share costs no more"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_article_canonical_url", table_name="article")
    op.create_index("ix_article_page", "article", ["canonical_url", "news_at", "feed_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_article_page", table_name="article")
    op.create_index("ix_article_canonical_url", "article", ["canonical_url"], unique=False)
