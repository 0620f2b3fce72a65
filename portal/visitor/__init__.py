"""The visitor's side of the gate: a phone claims an identity, proves it or not, and sends what it scanned."""
