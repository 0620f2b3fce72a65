"""THE SHAPES: what the rooms say to one another — events, topics, errors, settings, metrics, migrations.

Pure: msgspec and the standard library only, and nothing here opens, reads or connects anything.
"""
