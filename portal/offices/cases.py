"""An office's alerts by case: what waits first, the summary before single candidates, these by rank. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from portal.offices.store import Held

DECISIONS: Final = ("confirmed", "dropped", "undecided")
ADEQUATE: Final = 14  # candidates of a case: more is adequate, from 5 on moderate (KMK 4641/2021, press summary)
MODERATE: Final = 5


class Group(msgspec.Struct, frozen=True):
    """One case as an office knows it."""

    trace_ref: str
    summary: Held | None
    singles: tuple[Held, ...]

    @property
    def waiting(self) -> int:
        """Return how many of its alerts the office has not acknowledged."""
        return sum(one.waits for one in self.singles)

    @property
    def escalated(self) -> int:
        """Return how many of these wait for so long that the office above sees them."""
        return sum(one.escalated for one in self.singles)

    @property
    def newest(self) -> datetime:
        """Return when the office was last told something."""
        return max(one.made_at for one in (*self.singles, *([self.summary] if self.summary else [])))

    @property
    def due_by(self) -> datetime | None:
        """Return by when quarantine is due."""
        told = [one.data.due_by for one in (self.summary, *self.singles) if one is not None and one.data.due_by]
        return max(told, default=None)


def grouped(held: Iterable[Held]) -> list[Group]:
    """Return the cases, those that wait for longest past their time first, then those that wait, then the newest."""
    by_case: dict[str, list[Held]] = {}
    for one in held:
        by_case.setdefault(one.data.trace_ref, []).append(one)
    groups = [
        Group(
            trace_ref,
            next((one for one in some if one.action == "summary"), None),
            tuple(sorted((one for one in some if one.action != "summary"), key=_order)),
        )
        for trace_ref, some in by_case.items()
    ]
    return sorted(groups, key=lambda one: (not one.escalated, not one.waiting, -one.newest.timestamp(), one.trace_ref))


def followed(held: Iterable[Held]) -> list[Held]:
    """Return the candidates to follow up: those nobody has decided on first, by when quarantine is due, then rank."""
    order = ("", "undecided", "confirmed", "dropped")
    rows = [one for one in held if one.data.contact_ref and one.stands]
    return sorted(
        rows,
        key=lambda one: (
            order.index(one.decision),
            one.data.due_by.timestamp() if one.data.due_by else float("inf"),
            one.data.trace_ref,
            one.data.rank,
        ),
    )


def decided(rows: Sequence[Held]) -> dict[str, int]:
    """Return how many candidates there are of each decision; empty: nobody decided yet."""
    found = {"": 0, "undecided": 0, "confirmed": 0, "dropped": 0}
    for one in rows:
        found[one.decision] += 1
    return found


def per_case(rows: Sequence[Held]) -> tuple[float, str]:
    """Return how many candidates a case has on average, and which band that is: adequate, moderate, limited."""
    cases = {one.data.trace_ref for one in rows}
    mean = len(rows) / len(cases) if cases else 0.0
    if mean > ADEQUATE:
        return mean, "adequate"
    return mean, "moderate" if mean >= MODERATE else "limited"


def _order(one: Held) -> tuple[bool, bool, bool, int, str]:
    return not one.waits, not one.stands, one.action != "review", one.data.rank, one.alert_id
