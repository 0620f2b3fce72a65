"""How often somebody may ask: one bucket per key or address, filled evenly, bounded in number."""

import math
from collections import OrderedDict
from typing import Final

from portal.problems import TooMany

BUCKETS_MAX: Final = 100_000


class Limits:
    """Buckets that hold a minute's requests each; the least recently used are forgotten."""

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # who: (left, at)

    def take(self, who: str, now_s: float) -> None:
        """Count one request of `who` at `now_s` of a monotonic clock.

        Raises:
            TooMany: the minute's requests are used up; says in how many seconds there is one again.
        """
        left, at = self._buckets.get(who, (self._capacity, now_s))
        left = min(self._capacity, left + (now_s - at) * self._per_second)
        if left < 1:
            raise TooMany(math.ceil((1 - left) / self._per_second))
        self._buckets[who] = (left - 1, now_s)
        self._buckets.move_to_end(who)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)

    def is_empty(self, who: str, now_s: float) -> bool:
        """Say whether `who` would be refused now, without counting."""
        left, at = self._buckets.get(who, (self._capacity, now_s))
        return left + (now_s - at) * self._per_second < 1
