"""Runs `schemas/sql/0001_spine.sql`."""

from ops.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0001_spine.sql")
