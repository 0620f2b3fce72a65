"""The outbox read by the relay: what transactions left to be published."""
