"""Runs `schemas/sql/0010_places.sql`."""

from ops.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0010_places.sql")
