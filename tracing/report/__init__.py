"""report.html of a trace: what a person reads, in Indonesian or English, on a screen or on paper."""
