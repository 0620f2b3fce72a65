"""The posters on the doors: gates, versions, signed tokens, printed sheets. `check.py` says what a token is worth."""
