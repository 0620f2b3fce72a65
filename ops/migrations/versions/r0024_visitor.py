"""Runs `schemas/sql/0024_visitor.sql`."""

from ops.migrate import run_sql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0024_visitor.sql")
