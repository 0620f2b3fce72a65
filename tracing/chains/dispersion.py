"""The negative binomial distribution of offspring, by maximum likelihood.

With mean R and u = 1/k, and p_j the share of ids that have more than j offspring, the likelihood has its only
maximum where `Σ p_j u/(1 + ju) = log(1 + Ru)`; there is one just when the variance is above the mean (Levin and
Reeds, Annals of Statistics 5, 1977). Lloyd-Smith et al., Nature 438, 2005, read a small k as superspreading.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from tracing.chains.tables import Ints

CONFIDENCE: Final = 0.95
_SERIES_BELOW: Final = 0.3  # where the series has more digits than the formula
_SERIES_TERMS: Final = 40


class Offspring:
    """The numbers of offspring of some ids, as the likelihood sees them."""

    def __init__(self, counts: Ints) -> None:
        self.n = len(counts)
        self.total = int(counts.sum())
        squares = int((counts.astype(object) ** 2).sum()) if self.n else 0  # exact: Python's integers
        self.excess = (
            self.n * squares - self.total**2 - self.n * self.total
        )  # n² times what the variance is above the mean
        self.histogram = np.bincount(counts) if self.n else np.zeros(1, np.int64)
        more = self.n - np.cumsum(self.histogram)[:-1]
        self._p = more / max(self.n, 1)
        self._j: NDArray[np.float64] = np.arange(len(more), dtype=np.float64)

    @property
    def mean(self) -> float | None:
        """R; None of no ids."""
        return self.total / self.n if self.n else None

    def score(self, u: float) -> float:
        """Return a number with the sign of the derivative, negative below the maximum; exact near u = 0 too.

        There the terms of the equation cancel, so what is left of them is added up instead.
        """
        mean = self.total / self.n
        if u * len(self._j) >= 1:
            return float((self._p * (u / (1 + self._j * u))).sum()) - math.log1p(mean * u)
        rest = float((self._p * self._j**2 / (1 + self._j * u)).sum()) - mean**3 * _log_rest(mean * u)
        return u * u * (u * rest - self.excess / (2 * self.n**2))

    def log_likelihood(self, u: float) -> float:
        """Return the logarithm of the likelihood, but for what does not depend on u; u = 0 is Poisson's."""
        mean = self.total / self.n
        if u == 0:
            return -self.total
        tail = float((self._p * np.log1p(self._j * u)).sum())
        return self.n * (tail - math.log1p(mean * u) / u - mean * math.log1p(mean * u))


def fit_k(offspring: Offspring) -> float | None:
    """Return k, or None when the variance (divisor n) is not above the mean."""
    if offspring.excess <= 0:
        return None
    start = offspring.excess / offspring.total**2  # 1 / k by the method of moments
    return 1 / _crossing(offspring.score, start)


def interval_of_k(offspring: Offspring, k: float) -> tuple[float, float | None]:
    """Return the 95 % profile likelihood interval; no upper end where Poisson's distribution lies inside it."""
    needed = float(special.gammaincinv(0.5, CONFIDENCE))  # half of chi-squared's
    top = offspring.log_likelihood(1 / k)

    def gone(u: float) -> float:
        return float(top - offspring.log_likelihood(u) - needed)

    far = 2 / k
    while gone(far) < 0:
        far *= 2
    low = 1 / _root(gone, 1 / k, far)
    return low, None if gone(0) <= 0 else 1 / _root(gone, 0.0, 1 / k)


def interval_of_mean(offspring: Offspring, k: float | None) -> tuple[float, float] | None:
    """Return the 95 % interval of R: on the logarithm with k, else Poisson's exact one; None of no ids."""
    n, total = offspring.n, offspring.total
    if not n:
        return None
    side = (1 - CONFIDENCE) / 2
    if k is None:
        low = float(special.gammaincinv(total, side)) if total else 0.0
        return low / n, float(special.gammaincinv(total + 1, 1 - side)) / n
    mean = total / n
    spread = float(special.ndtri(1 - side)) * math.sqrt((1 / mean + 1 / k) / n)
    return mean * math.exp(-spread), mean * math.exp(spread)


def expected_ids(offspring: Offspring, k: float | None, up_to: int) -> list[float]:
    """Return how many ids the fitted distribution gives 0, 1, … `up_to` offspring."""
    mean = offspring.total / max(offspring.n, 1)
    numbers = np.arange(up_to + 1)
    logs = -special.gammaln(numbers + 1)
    if k is None:
        logs += special.xlogy(numbers, mean) - mean
    else:
        logs += special.gammaln(numbers + k) - special.gammaln(k)
        logs += special.xlogy(numbers, mean / (k + mean)) - k * math.log1p(mean / k)
    return [float(share) * offspring.n for share in np.exp(logs)]


def _crossing(function: Callable[[float], float], start: float) -> float:
    """Return where the function, negative below and positive above, is zero, looked for from `start` both ways."""
    low = high = start
    while function(low) > 0:
        low /= 4
    while function(high) < 0:
        high *= 4
    return math.exp(_root(lambda power: function(math.exp(power)), math.log(low), math.log(high)))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return low if low == high else float(optimize.brentq(function, low, high, xtol=1e-15, rtol=1e-14, maxiter=500))


def _log_rest(z: float) -> float:
    """Return what log(1 + z) is above z less z²/2, divided by z³, with all its digits."""
    if z < _SERIES_BELOW:
        return math.fsum((-z) ** power / (power + 3) for power in range(_SERIES_TERMS))
    return (0.5 - 1 / z + math.log1p(z) / (z * z)) / z
