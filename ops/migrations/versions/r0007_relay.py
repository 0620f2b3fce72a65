"""Runs `schemas/sql/0007_relay.sql`."""

from ops.migrate import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0007_relay.sql")
