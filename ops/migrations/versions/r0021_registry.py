"""Runs `schemas/sql/0021_registry.sql`."""

from ops.migrate import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0021_registry.sql")
