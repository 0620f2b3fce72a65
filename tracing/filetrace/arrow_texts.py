"""Columns of texts as numbers: ids in the order in which they come, hashes, and instants of one shape."""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracing.exposure import Ints
from tracing.filetrace.instant_columns import instants_us

LONGEST_HASHED: Final = 64  # bytes; longer ids are hashed by Python, one by one
EARLIEST_US: Final = -5_333_000_000_000_000  # 1801: as written or in UTC, no year before 1800
LATEST_US: Final = 7_226_000_000_000_000  # 2198
_shape = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_ONE: Final = np.uint64(0x9E3779B97F4A7C15)
_OTHER: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_KEEP: Final = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)


def numbered(parts: Sequence[Any]) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return a number for each text, counted in the order in which they come, and the text of each number."""
    if not parts:
        return np.empty(0, dtype=np.int32), []
    # One array, for each chunk of several would carry all the texts; large, for they may be more than 2 GiB.
    encoded = pa.concat_arrays([part.cast(pa.large_string()) for part in parts]).dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def hashes(texts: Any) -> npt.NDArray[np.uint64]:  # noqa: ANN401 — Arrow has no types
    """Return a hash of each text of an Arrow array; of equal texts it is equal, of others hardly ever."""
    starts, lengths, data = _bytes_of(texts)
    longest = int(lengths.max(initial=0))
    if longest > LONGEST_HASHED:
        each = np.fromiter(map(hash, texts.to_pylist()), np.int64, len(texts))
        return each.view(np.uint64)
    padded = np.concatenate([data, np.zeros(LONGEST_HASHED + 8, dtype=np.uint8)])
    words = np.ndarray((padded.size - 7,), dtype="<u8", buffer=padded.data, strides=(1,))  # one begins at each byte
    found = lengths.astype(np.uint64) * _ONE
    for place in range(0, longest, 8):
        word = words[starts + place] & _KEEP[np.clip(lengths - place, 0, 8)]
        found = (found ^ word) * _OTHER
        found ^= found >> np.uint64(29)
    return found


def instants(texts: Any) -> Ints:  # noqa: ANN401 — Arrow has no types
    """Return the instants of an Arrow array as microseconds since 1970.

    Raises:
        BadInput: one cannot be used; it does not say which.
        ValueError: the same.
    """
    if len(texts) and _is_of_one_shape(texts):
        found: Ints = texts.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
        if found.min() > EARLIEST_US and found.max() < LATEST_US:
            return found
    return instants_us(texts.to_pylist())


def _is_of_one_shape(texts: Any) -> bool:  # noqa: ANN401 — Arrow has no types
    """Say whether all are written as the first: then Arrow reads them as we do, or refuses them."""
    first = texts[0].as_py()
    _, lengths, data = _bytes_of(texts)
    if not _shape.fullmatch(first) or (lengths != len(first)).any():
        return False
    low = np.tile(np.frombuffer(re.sub("[0-9]", "0", first).encode(), dtype=np.uint8), lengths.size)
    high = np.tile(np.frombuffer(re.sub("[0-9]", "9", first).encode(), dtype=np.uint8), lengths.size)
    return bool(((data >= low) & (data <= high)).all())


def _bytes_of(texts: Any) -> tuple[Ints, Ints, npt.NDArray[np.uint8]]:  # noqa: ANN401 — Arrow has no types
    """Return where each text begins and how long it is in the bytes of all, which hold nothing else."""
    _, ends, data = texts.buffers()
    places = np.frombuffer(ends, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    held = np.frombuffer(data or b"", dtype=np.uint8)[places[0] : places[-1]]
    return places[:-1] - places[0], np.diff(places), held
