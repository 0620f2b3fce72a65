"""Runs `schemas/sql/0015_vault.sql`."""

from ops.migrate import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0015_vault.sql")
