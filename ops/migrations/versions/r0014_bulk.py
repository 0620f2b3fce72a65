"""Runs `schemas/sql/0014_bulk.sql`."""

from ops.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0014_bulk.sql")
