"""Runs `schemas/sql/0022_plausibility.sql`."""

from ops.migrate import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0022_plausibility.sql")
