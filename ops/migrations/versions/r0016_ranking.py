"""Runs `schemas/sql/0016_ranking.sql`."""

from ops.migrate import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0016_ranking.sql")
