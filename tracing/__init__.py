"""THE MEANING: scans to visits to counts; visits to exposures to candidates to a graph. Its core is pure."""
