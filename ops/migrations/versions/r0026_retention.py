"""Runs `schemas/sql/0026_retention.sql`."""

from ops.migrate import run_sql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0026_retention.sql")
