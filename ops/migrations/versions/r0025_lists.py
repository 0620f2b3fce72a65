"""Runs `schemas/sql/0025_lists.sql`."""

from ops.migrate import run_sql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0025_lists.sql")
