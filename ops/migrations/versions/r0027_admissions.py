"""Runs `schemas/sql/0027_admissions.sql`."""

from ops.migrate import run_sql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run the SQL file of this number."""
    run_sql("0027_admissions.sql")
