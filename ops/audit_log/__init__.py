"""The audit of who read or changed what is personal: its chain recomputed, its rows handed out."""
