"""Runs `schemas/sql/0005_audit.sql`."""

from ops.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0005_audit.sql")
