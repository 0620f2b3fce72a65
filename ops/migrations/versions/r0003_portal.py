"""Runs `schemas/sql/0003_portal.sql`."""

from ops.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0003_portal.sql")
