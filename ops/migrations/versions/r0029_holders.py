"""Runs `schemas/sql/0029_holders.sql`."""

from ops.migrate import run_sql

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0029_holders.sql")
