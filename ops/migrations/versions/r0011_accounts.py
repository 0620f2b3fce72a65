"""Runs `schemas/sql/0011_accounts.sql`."""

from ops.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0011_accounts.sql")
