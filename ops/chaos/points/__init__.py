"""Deaths at every named place and statement of the workers and the relay, by seed, on the real servers.

Two installations get the same records: in one, a process dies at each place and the next one goes on; in the other
nothing happens. Afterwards they must be the same, row by row, and the audit must find nothing.
"""
