"""Alembic's folder: its environment, and one script per SQL file of schemas."""
