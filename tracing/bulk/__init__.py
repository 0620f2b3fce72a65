"""Traces beyond one machine: the archive of visits, and Apache Spark over it or over files."""
