"""What cannot be: scans that rules or people flag, out of tracing until somebody who may clears them."""
