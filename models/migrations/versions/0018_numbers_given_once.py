"""Subscribers, alerts and verdicts: a number that buttons carry is never given again"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = ("subscriber", "alert", "verdict")
#: Of those forgotten before, the record of changes still names some.
_HIGHEST = """
    INSERT INTO sqlite_sequence (name, seq)
    SELECT 'subscriber', coalesce(max(id), 0) FROM (
        SELECT id FROM subscriber UNION ALL SELECT CAST(key AS INTEGER) FROM change WHERE area = 'subscriber'
    )
"""


def upgrade() -> None:
    """SQLite's AUTOINCREMENT takes a copy of the table, and every later copy must name it again; PostgreSQL gives no
    number twice as it is."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in _TABLES:
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'subscriber'")
    op.execute(_HIGHEST)


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in reversed(_TABLES):
        with op.batch_alter_table(table, recreate="always"):
            pass
