"""Vaccination certificates and status colours: what an officer's look-up answers, and what a bound phone shows."""
