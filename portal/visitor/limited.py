"""How often a visitor's phone may ask: an address carries many phones, a device is one, and guessing ends early.

Limits count what is asked, never what is found: they tell nobody anything.
"""

import time
from typing import Final, Literal, TypeAlias

from portal.limits import Limits, Window

What: TypeAlias = Literal["ask", "claim", "code", "confirm", "officer_code", "scans"]

PER_MINUTE: Final = 1_200  # of one address: a mobile network puts thousands of phones behind one
MOST: Final[dict[What, tuple[int, float]]] = {  # in so many seconds
    "ask": (12, 60),  # a device: what it may know, and to be forgotten
    "claim": (30, 60),  # an address
    "code": (3, 600),  # a device
    "confirm": (10, 600),  # a device; a code has five tries besides
    "officer_code": (6, 600),  # a device
    "scans": (60, 60),  # a device: a hundred scans each
}


class Limited:
    """Counts; one per gate process."""

    def __init__(self) -> None:
        self._addresses = Limits(PER_MINUTE)
        self._windows = {what: Window(most, seconds) for what, (most, seconds) in MOST.items()}

    def address(self, address: str) -> None:
        """Count a request of an address.

        Raises:
            TooMany: it asks too often.
        """
        self._addresses.take(address, time.monotonic())

    def take(self, what: What, who: str) -> None:
        """Count something that a device or an address asks for.

        Raises:
            TooMany: too often; says in how many seconds it may again.
        """
        self._windows[what].take(who, time.monotonic())
