"""How waits are shown: the same percentiles everywhere."""

from collections.abc import Sequence
from typing import Final

SHARES: Final = (0.5, 0.95, 0.99, 0.999)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    in_order = sorted(values)
    return in_order[min(len(in_order) - 1, int(share * len(in_order)))] if in_order else 0.0


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Return the percentiles in milliseconds, and the longest."""
    in_order = sorted(seconds)
    table = {f"p{share * 100:g}": percentile(in_order, share) for share in SHARES}
    table["max"] = in_order[-1] if in_order else 0.0
    return {name: round(value * 1_000, 1) for name, value in table.items()}
