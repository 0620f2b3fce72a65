"""Runs `schemas/sql/0018_onset.sql`."""

from ops.migrate import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0018_onset.sql")
