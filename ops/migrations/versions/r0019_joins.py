"""Runs `schemas/sql/0019_joins.sql`."""

from ops.migrate import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0019_joins.sql")
