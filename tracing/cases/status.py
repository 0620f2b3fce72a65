"""Whom the gate sends to triage because of a case, and until when. Pure.

Black comes from a final positive or a contact that people confirmed, never from a trace alone. Visits alone never
shorten it: a decision, a withdrawn case, or negative tests do.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from tracing.cases.episodes import specimen_day
from tracing.cases.facts import Case, Result
from tracing.instants import DAY_US, HOUR_US
from tracing.windows import local_day, midnight

_NO_TESTS: Final[Mapping[str, Sequence[Result]]] = MappingProxyType({})


class BlackDays(msgspec.Struct, frozen=True):
    """How many days black lasts, and which negative tests end it before; 0 days: none does."""

    case: int
    contact: int
    case_test_day: int = 0  # the first of two PCRs, days after the last positive specimen
    case_test_hours: int = 24  # between the two
    contact_test_day: int = 0  # any test, days after the last exposure


def black_until(
    case: Case,
    person: str,
    positives: Iterable[Result],
    confirmed: Iterable[str],
    last_ends: Mapping[str, int],
    told: Mapping[str, int],
    days: BlackDays,
    negatives: Mapping[str, Sequence[Result]] = _NO_TESTS,
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
        negatives: the negative results that stand, by person.
    """
    if case.state != "open":
        return {}
    until = {}
    final = [result for result in positives if result.is_final]
    if final:
        latest = max(final, key=lambda result: result.specimen_at)
        if not is_recovered(latest, negatives.get(person, ()), days):
            until[person] = midnight(specimen_day(latest) + timedelta(days=days.case), latest.time_zone)
    for contact in confirmed:
        known = [told[contact]] if contact in told else []
        if contact in last_ends:
            known.append(last_ends[contact] + days.contact * DAY_US)
        if not known or contact == person:
            continue
        last_end = max(known) - days.contact * DAY_US
        if not is_let_go(last_end, negatives.get(contact, ()), days):
            until[contact] = max(known)
    return until


def is_recovered(positive: Result, negatives: Iterable[Result], days: BlackDays) -> bool:
    """Say whether two negative PCRs end black: the first on its day at the earliest, the other so many hours later.

    Antigen tests do not count, nor does what the laboratory does not stand by yet.
    """
    if not days.case_test_day:
        return False
    taken = [
        one.specimen_at
        for one in negatives
        if one.is_final
        and one.test == "pcr"
        and (specimen_day(one) - specimen_day(positive)).days >= days.case_test_day
        and one.specimen_at > positive.specimen_at
    ]
    return bool(taken) and max(taken) - min(taken) >= days.case_test_hours * HOUR_US


def is_let_go(last_end: int, negatives: Iterable[Result], days: BlackDays) -> bool:
    """Say whether a negative test of either kind ends black of a contact, so many days after the last exposure."""
    if not days.contact_test_day:
        return False
    return any(
        one.is_final and (specimen_day(one) - local_day(last_end, one.time_zone)).days >= days.contact_test_day
        for one in negatives
    )


def changes(told: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int | None]:
    """Return what the gate has to be told: a new end, or None where black ends."""
    news: dict[str, int | None] = {person: until for person, until in now.items() if told.get(person) != until}
    return news | dict.fromkeys(told.keys() - now.keys())
