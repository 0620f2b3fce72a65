"""Runs `schemas/sql/0023_offices.sql`."""

from ops.migrate import run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0023_offices.sql")
