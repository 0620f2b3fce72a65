"""How a facility becomes known: it applies, the ministry's desk verifies, and its manager is invited."""
