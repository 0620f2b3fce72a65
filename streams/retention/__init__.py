"""Retention: what is over its time goes, and leaves what those to come can ask of it."""
