"""Stories: which other one a story became part of"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("story", schema=None) as batch_op:
        batch_op.add_column(sa.Column("merged_into", sa.Integer(), nullable=True))
        batch_op.create_foreign_key("fk_story_merged_into", "story", ["merged_into"], ["id"], ondelete="CASCADE")
        batch_op.create_index("ix_story_merged_into", ["merged_into"])


def downgrade() -> None:
    with op.batch_alter_table("story", schema=None) as batch_op:
        batch_op.drop_index("ix_story_merged_into")
        batch_op.drop_constraint("fk_story_merged_into", type_="foreignkey")
        batch_op.drop_column("merged_into")
