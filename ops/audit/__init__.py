"""The audit: what is stored and what is told, computed again and compared row by row. It changes nothing.

`run.audit` runs the checks; each has a module of its own, `store` reads one snapshot of the database, `log` the topics.
"""
