"""Runs `schemas/sql/0002_traces.sql`."""

from ops.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0002_traces.sql")
