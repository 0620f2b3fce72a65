"""Infection risk: if the two were close, how likely the virus was passed on. A number of its own: no rank uses it.

How infectious a case is by the time since onset: gamma distribution of He et al., Nat Med 26 (2020) 672–675, with the
parameters of the correction of 7 August 2020 (shape 20.516508, rate 1.592124 a day, shifted by 12.272481 days), against
its own peak. How much time does: 1.1 % an hour at first, Ferretti et al., Nature 626 (2024) 145–150 (contacts
of the NHS COVID-19 app). Both are averages over people, variants and rooms: an order, not a forecast.
"""

from typing import Final

import numpy as np
from scipy.special import gammainc

from tracing.exposure import Ints
from tracing.instants import DAY_US
from tracing.ranking.crowds import Floats

SHAPE: Final = 20.516508
RATE_A_DAY: Final = 1.592124
SHIFT_DAYS: Final = 12.272481
RISK_AN_HOUR: Final = 0.011  # while the case is as infectious as he ever is
_HALF_DAY_US: Final = DAY_US // 2  # an onset has a day, no hour: noon


def risks_of(since_day_zero: tuple[Ints, Ints], begins: Ints) -> Floats:
    """Return how likely at least one of many small chances is, for each pair: 1 less the exponential of minus the dose.

    Args:
        since_day_zero: start and end of each exposure, pair by pair, counted from the first instant of day zero.
        begins: where each pair's exposures begin; not empty.
    """
    start, end = ((at - _HALF_DAY_US) / DAY_US for at in since_day_zero)
    dose = RISK_AN_HOUR * 24 * _peak_days(start, end)
    risks: Floats = -np.expm1(-np.add.reduceat(dose, begins))
    return risks


def _peak_days(start: Floats, end: Floats) -> Floats:
    """Return how many days at the peak are worth as much as the time from start to end."""
    begun, over = (gammainc(SHAPE, RATE_A_DAY * np.maximum(at + SHIFT_DAYS, 0.0)) for at in (start, end))
    days: Floats = np.maximum(over - begun, 0.0) / _PEAK
    return days


def _density(days: float) -> float:
    """Return the gamma density, by the steepness of its integral."""
    step = 1e-4
    low, high = (float(gammainc(SHAPE, RATE_A_DAY * (days + SHIFT_DAYS + side * step))) for side in (-1, 1))
    return (high - low) / (2 * step)


_PEAK: Final = _density((SHAPE - 1) / RATE_A_DAY - SHIFT_DAYS)
