"""Runs `schemas/sql/0030_followed.sql`."""

from ops.migrate import run_sql

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0030_followed.sql")
