"""Secondary attack rate, and the facilities where more of the exposed became cases than chance would make.

Exposed at a facility are the distinct `to` of its rows whose `from` is a case, but for self links and links in
which `to` fell ill first. Expected is the facility's share of all exposed, times all positives: if everybody
exposed anywhere had become a case with the same chance. The test is the hypergeometric one, one-sided, and
Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995) hold the false discoveries among the venues named at 5 %.
"""

import msgspec
import numpy as np
from scipy import special

from tracing.chains.dispersion import CONFIDENCE
from tracing.chains.tables import NOWHERE, Ints, Tables, implausible

FALSE_DISCOVERIES_MAX = 0.05


class Rate(msgspec.Struct, frozen=True):
    """Positives among the exposed, with the exact 95 % interval of Clopper and Pearson."""

    exposed: int
    positive: int
    rate: float
    interval_95: tuple[float, float]


class Venue(msgspec.Struct, frozen=True):
    """One facility against all; `q` is the adjusted p."""

    facility_id: str
    exposed: int
    positive: int
    rate: float
    interval_95: tuple[float, float]
    expected: float
    p: float
    q: float
    superspreading: bool


class Attack(msgspec.Struct, frozen=True):
    """Over all facilities each exposed person counts once; at each facility where exposed, once."""

    secondary_attack_rate: Rate | None
    venues: list[Venue]


def attack_of(tables: Tables) -> Attack | None:
    """Return rates and venues, those that stand out most first; None where the contacts name no facility."""
    if tables.facility is None:
        return None
    counted = (tables.facility != NOWHERE) & (tables.source != tables.target)
    counted &= tables.positive[tables.source] & ~implausible(tables)
    if not counted.any():
        return Attack(None, [])
    pairs = np.unique(np.column_stack((tables.facility[counted], tables.target[counted])), axis=0)
    number = len(tables.facilities)
    exposed = np.bincount(pairs[:, 0], minlength=number)
    positive = np.bincount(pairs[tables.positive[pairs[:, 1]], 0], minlength=number)
    persons = np.unique(pairs[:, 1])
    overall = _rate(len(persons), int(tables.positive[persons].sum()))
    return Attack(overall, _venues(tables, exposed, positive))


def _venues(tables: Tables, exposed: Ints, positive: Ints) -> list[Venue]:
    from scipy import stats  # takes a second to import, which tables without facilities need not wait for

    here = np.flatnonzero(exposed)
    everybody, cases = int(exposed.sum()), int(positive.sum())
    p = np.clip(stats.hypergeom.sf(positive[here] - 1, everybody, cases, exposed[here]), 0, 1)
    q = stats.false_discovery_control(p)
    venues = []
    for place, one_p, one_q in zip(here, p, q, strict=True):
        rate = _rate(int(exposed[place]), int(positive[place]))
        expected = rate.exposed * cases / everybody
        named = bool(one_q <= FALSE_DISCOVERIES_MAX)
        venues.append(
            Venue(
                tables.facilities[int(place)],
                rate.exposed,
                rate.positive,
                rate.rate,
                rate.interval_95,
                expected,
                float(one_p),
                float(one_q),
                named,
            )
        )
    return sorted(venues, key=lambda venue: (venue.p, -venue.positive, venue.facility_id))


def _rate(exposed: int, positive: int) -> Rate:
    side = (1 - CONFIDENCE) / 2
    low = special.betaincinv(positive, exposed - positive + 1, side) if positive else 0
    high = special.betaincinv(positive + 1, exposed - positive, 1 - side) if positive < exposed else 1
    return Rate(exposed, positive, positive / exposed, (float(low), float(high)))
