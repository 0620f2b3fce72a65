"""Which partition a key lives in: one function, used by every producer and checked by every reader.

zlib's crc32 because it is in every language's standard library and fast from Python; murmur2 is not.
"""

from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of `key` (a person id, or a facility id on count topics) out of `partitions`."""
    return crc32(key.encode()) % partitions
