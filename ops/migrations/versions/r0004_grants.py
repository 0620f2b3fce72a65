"""Runs `schemas/sql/0004_grants.sql`."""

from ops.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0004_grants.sql")
