"""Who signs in: accounts, sessions, links that set a password, second factors. Start at `accounts.py`."""
