"""How waits are shown: the same percentiles everywhere."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

SHARES: Final = (0.5, 0.95, 0.99, 0.999)
TREND_POINTS_MIN: Final = 3


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


def trend(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much the values rise over the whole span of a line laid through them (least squares)."""
    if len(points) < TREND_POINTS_MIN:
        return 0.0
    middle_x, middle_y = (fmean(point[axis] for point in points) for axis in (0, 1))
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
    return slope * (points[-1][0] - points[0][0])
