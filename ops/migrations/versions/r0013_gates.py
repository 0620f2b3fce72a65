"""Runs `schemas/sql/0013_gates.sql`."""

from ops.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0013_gates.sql")
