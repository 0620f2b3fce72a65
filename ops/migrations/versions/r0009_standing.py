"""Runs `schemas/sql/0009_standing.sql`."""

from ops.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0009_standing.sql")
