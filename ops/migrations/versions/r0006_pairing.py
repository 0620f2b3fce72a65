"""Runs `schemas/sql/0006_pairing.sql`."""

from ops.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0006_pairing.sql")
