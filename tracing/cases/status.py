"""Whom the gate sends to triage because of a case, and until when. Pure.

Black comes from a final positive or a contact that people confirmed, never from a trace alone. Data alone never
shorten it: only a decision or a withdrawn case does.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from tracing.cases.episodes import specimen_day
from tracing.cases.facts import Case, Result
from tracing.instants import DAY_US
from tracing.windows import midnight


class BlackDays(msgspec.Struct, frozen=True):
    """How many days black lasts."""

    case: int
    contact: int


def black_until(
    case: Case,
    person: str,
    positives: Iterable[Result],
    confirmed: Iterable[str],
    last_ends: Mapping[str, int],
    told: Mapping[str, int],
    days: BlackDays,
) -> dict[str, int]:
    """Return, for everybody this case makes black, until when.

    Args:
        case: nobody is black because of a case that is not open.
        person: whose case it is.
        positives: his, that stand and belong to the case.
        confirmed: the persons whose latest decision is confirmed.
        last_ends: end of each candidate's last exposure.
        told: what the gate knows: kept for a confirmed contact whose exposures went or became earlier.
        days: how long.
    """
    if case.state != "open":
        return {}
    until = {}
    final = [result for result in positives if result.is_final]
    if final:
        latest = max(final, key=lambda result: result.specimen_at)
        until[person] = midnight(specimen_day(latest) + timedelta(days=days.case), latest.time_zone)
    for contact in confirmed:
        known = [told[contact]] if contact in told else []
        if contact in last_ends:
            known.append(last_ends[contact] + days.contact * DAY_US)
        if known and contact != person:
            until[contact] = max(known)
    return until


def changes(told: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int | None]:
    """Return what the gate has to be told: a new end, or None where black ends."""
    news: dict[str, int | None] = {person: until for person, until in now.items() if told.get(person) != until}
    return news | dict.fromkeys(told.keys() - now.keys())
