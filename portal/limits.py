"""How often somebody may ask: one bucket per key or address, filled evenly, bounded in number."""

import math
from collections import OrderedDict, deque
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


class Window:
    """At most `most` in any `seconds`, exactly: where guessing has to end. The least recently used are forgotten."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()  # who: when, the first first

    def wait_s(self, who: str, now_s: float, count: int = 1) -> int:
        """Return in how many seconds `who` may take `count` more; 0: now. Never more than fit into a window."""
        taken = self._taken.get(who, deque())
        while taken and taken[0] <= now_s - self._seconds:
            taken.popleft()
        over = len(taken) + count - self._most
        if over <= 0 or not taken:
            return 0
        return max(1, math.ceil(taken[min(over, len(taken)) - 1] + self._seconds - now_s))

    def take(self, who: str, now_s: float) -> None:
        """Count one of `who`.

        Raises:
            TooMany: none is left; says in how many seconds there is one again.
        """
        if wait_s := self.wait_s(who, now_s):
            raise TooMany(wait_s)
        self.add(who, now_s)

    def add(self, who: str, now_s: float, count: int = 1) -> None:
        """Count `count` of `who` at `now_s` of a monotonic clock."""
        self._taken.setdefault(who, deque()).extend([now_s] * count)
        self._taken.move_to_end(who)
        if len(self._taken) > BUCKETS_MAX:
            self._taken.popitem(last=False)
