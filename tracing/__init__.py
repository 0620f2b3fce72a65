"""THE MEANING: scans to visits to counts; visits to exposures to candidates to a graph. Pure but for store and job."""
