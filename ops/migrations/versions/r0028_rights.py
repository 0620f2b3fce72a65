"""Runs `schemas/sql/0028_rights.sql`."""

from ops.migrate import run_sql

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0028_rights.sql")
