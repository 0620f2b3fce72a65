"""THE FRONT DOOR: the HTTP gate, API keys and the identity vault."""
