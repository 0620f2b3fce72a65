"""The trace without any server: visits.csv and cases.csv in, the package of a trace out."""
