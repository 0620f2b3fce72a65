"""Runs `schemas/sql/0020_late_entries.sql`."""

from ops.migrate import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0020_late_entries.sql")
