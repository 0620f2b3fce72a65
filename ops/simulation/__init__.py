"""A deterministic simulation of the fold and its consumer protocol: log and database in memory, faults by schedule."""
