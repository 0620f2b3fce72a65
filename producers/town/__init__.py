"""The synthetic town: 400 facilities in and around Tangerang and the people who come and go in them.

A function of its seed and nothing else: no clock, no file but the region codes that ship with it. First
`build_town`, then `Life` (who is where, exactly), then `town_scans` (what of it the gates get to see).
"""
