"""Runs `schemas/sql/0031_watched.sql`."""

from ops.migrate import run_sql

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0031_watched.sql")
