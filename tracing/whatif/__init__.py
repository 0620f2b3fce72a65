"""What another rule would have found: one case's visits in memory, asked again and again. Start at `replay.py`."""
