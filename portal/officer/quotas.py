"""How often an officer, a facility and an address may ask and enter: exact in any minute and any hour.

Kept by the gate's process: where several serve one installation, each counts by itself.
"""

from typing import Any, Final

from litestar.connection import ASGIConnection

from portal.limits import Window
from portal.problems import TooMany

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
OFFICER: Final = {MINUTE_S: 30, HOUR_S: 300}
SEVERAL: Final = {MINUTE_S: 150, HOUR_S: 1_500}  # of a facility, and of an address: five officers at their limit


class Quotas:
    """What is left to each of them; one for look-ups and one for entries."""

    def __init__(self) -> None:
        self._windows = {
            who: [Window(most, seconds) for seconds, most in limits.items()]
            for who, limits in (("officer", OFFICER), ("facility", SEVERAL), ("address", SEVERAL))
        }

    def take(self, *, officer: str, facility: str, address: str, now_s: float, count: int = 1) -> None:
        """Count `count` tries at `now_s` of a monotonic clock; what is refused is not counted.

        Raises:
            TooMany: one of the limits is reached; says in how many seconds there is room again.
        """
        asked = [
            (window, name)
            for who, name in (("officer", officer), ("facility", facility), ("address", address))
            for window in self._windows[who]
        ]
        wait_s = max(window.wait_s(name, now_s, count) for window, name in asked)
        if wait_s:
            raise TooMany(wait_s)
        for window, name in asked:
            window.add(name, now_s, count)


class DeskQuotas:
    """The quotas of one gate process."""

    def __init__(self) -> None:
        self.look_ups = Quotas()
        self.entries = Quotas()


def quotas_of(connection: ASGIConnection[Any, Any, Any, Any]) -> DeskQuotas:
    """Return the quotas of the application that serves this request."""
    state = connection.app.state
    if "officer_quotas" not in state:
        state.officer_quotas = DeskQuotas()
    quotas = state.officer_quotas
    assert isinstance(quotas, DeskQuotas)
    return quotas
