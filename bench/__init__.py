"""THE MEASUREMENTS: ours against what an engineer would pick instead, on the same records, with equal results.

Every contender is a process of its own, told the same task; a figure counts only when its result has the same hash.
"""
