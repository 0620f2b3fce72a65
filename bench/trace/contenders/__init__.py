"""Each a process: reads the town's Parquet, answers, prints one line of JSON."""
