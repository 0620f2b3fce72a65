"""Runs `schemas/sql/0008_weeks.sql`."""

from ops.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0008_weeks.sql")
