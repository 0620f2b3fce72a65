"""A facility's own pages: its counts, its doors and posters, its details, its people, what officers entered."""
