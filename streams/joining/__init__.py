"""Batches of several partitions in one transaction."""
