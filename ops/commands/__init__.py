"""One file per command; `ops.cli` finds them by their file names."""
