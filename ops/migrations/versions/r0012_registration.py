"""Runs `schemas/sql/0012_registration.sql`."""

from ops.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0012_registration.sql")
