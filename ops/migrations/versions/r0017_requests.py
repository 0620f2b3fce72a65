"""Runs `schemas/sql/0017_requests.sql`."""

from ops.migrate import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0017_requests.sql")
