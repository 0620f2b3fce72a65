"""How well a ranking does: average precision, area under the curve, calibration, at places the model never saw."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import pairwise
from statistics import fmean
from typing import Final, NamedTuple

import msgspec
import numpy as np

from schemas.errors import BadInput
from tracing.exposure import Flags, Ints
from tracing.ranking.crowds import Floats
from tracing.ranking.learning import SEED, Learner
from tracing.ranking.model import SCALE, Model, millionths_of
from tracing.ranking.places import Place, Sample, sample

DRAWS: Final = 20  # of the delays, other ones than those learnt from
RESAMPLES: Final = 25  # of the pairs of each draw, for the interval
INTERVAL: Final = (2.5, 97.5)
BANDS: Final = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 1.0)
MINUTES: Final = "minutes together"
_TEST: Final = 1000  # seeds of draws nobody learnt from begin here

HAND_MADE: Final[dict[str, Callable[[Sample], Floats]]] = {
    MINUTES: lambda some: some.minutes,
    "minutes over the crowd (Adamic, Adar)": lambda some: some.weighted_minutes,
    "share of both stays (Jaccard)": lambda some: some.shapes.share,
    "share × minutes over the crowd": lambda some: some.shapes.share * some.weighted_minutes,
    "the same × ½, 1, 2 by zone": lambda some: (
        some.shapes.share * some.weighted_minutes * 2.0 ** (some.shapes.same_zone - some.shapes.other_zone)
    ),
}


class Band(NamedTuple):
    """Pairs with about one probability: what was said, and what was so."""

    said: float
    was: float
    pairs: float  # per draw


class Measured(NamedTuple):
    """One place, ranked by a model that was learnt from the others. Means over the draws."""

    place: str
    zones: bool
    pairs: float
    close: float
    precision: float  # average precision
    interval: tuple[float, float]
    ratio: float  # to the average precision of the minutes
    ratio_interval: tuple[float, float]
    area: float
    area_by_minutes: float
    brier: float
    brier_by_rate: float  # of who says the place's true rate of everybody
    said: float  # close pairs that the probabilities add up to
    bands: list[Band]
    hand_made: dict[str, float]  # average precision


def measure(places: Sequence[Place], tell: Callable[[str], None]) -> list[Measured]:
    """Return each place, with its zones and without, measured with a model of the others.

    Raises:
        BadInput: there is one place only, or one where nobody was close.
    """
    if len(places) <= 1:
        raise BadInput("names one place only: each is measured by what the others teach", field="facility_id")
    learner, measured = Learner(places), []
    for number, place in enumerate(places):
        tell(place.name)
        others = [other for other in range(len(places)) if other != number]
        model = learner.model(others, model_id="unseen", valid_from=date.min, source="the other places")
        draws = [sample(place, np.random.default_rng((SEED, number, _TEST + draw))) for draw in range(DRAWS)]
        if not all(some.close.any() for some in draws):
            raise BadInput("names a place where nobody was close for long enough", field="seconds")
        measured.append(measure_place(place.name, model, draws, zones=True))
        if any(some.shapes.same_zone.any() for some in draws):
            bare = [some.without_zones() for some in draws]
            measured.append(measure_place(place.name, model, bare, zones=False))
    return measured


def measure_place(name: str, model: Model, draws: Sequence[Sample], *, zones: bool) -> Measured:
    """Return how a model does on some draws of a place."""
    scores = [millionths_of(model, some.shapes) / SCALE for some in draws]
    resampled = np.array([_resampled(some, score) for some, score in zip(draws, scores, strict=True)]).reshape(-1, 2)
    resampled = resampled[resampled[:, 1] > 0]  # of a few pairs drawn anew it may be that none is close
    closes = [some.close for some in draws]
    hand_made = {
        label: _mean(average_precision(some.close, by(some)) for some in draws) for label, by in HAND_MADE.items()
    }
    precision = _mean(map(average_precision, closes, scores))
    rates = [np.full(close.size, close.mean()) for close in closes]
    return Measured(
        place=name,
        zones=zones,
        pairs=_mean(some.pairs for some in draws),
        close=_mean(close.sum() for close in closes),
        precision=precision,
        interval=_interval(resampled[:, 0]),
        ratio=precision / hand_made[MINUTES],
        ratio_interval=_interval(resampled[:, 0] / resampled[:, 1]),
        area=_mean(map(area_under_curve, closes, scores)),
        area_by_minutes=_mean(area_under_curve(some.close, some.minutes) for some in draws),
        brier=_mean(map(brier, closes, scores)),
        brier_by_rate=_mean(map(brier, closes, rates)),
        said=_mean(score.sum() for score in scores),
        bands=_bands(np.concatenate(closes), np.concatenate(scores), len(draws)),
        hand_made=hand_made,
    )


def average_precision(close: Flags, score: Floats) -> float:
    """Return the mean, over the close pairs, of the precision of the list down to them; equal scores are one step."""
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(close[order])
    steps = np.flatnonzero(np.diff(score[order], append=-np.inf) != 0)
    return float((np.diff(found[steps], prepend=0) * found[steps] / (steps + 1)).sum() / max(found[-1], 1))


def area_under_curve(close: Flags, score: Floats) -> float:
    """Return how often a close pair's score is above another's; half where they are equal."""
    values, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    ranks = (below + (counts + 1) / 2)[where]
    number = int(close.sum())
    wins = float(ranks[close].sum()) - number * (number + 1) / 2
    return wins / max(number * (close.size - number), 1) if values.size else 0.0


def brier(close: Flags, score: Floats) -> float:
    """Return the mean squared distance of what was said from what was so."""
    return float(((score - close) ** 2).mean())


def as_json(measured: Sequence[Measured]) -> bytes:
    """Return everything measured, for machines."""
    rows = [row._asdict() | {"bands": [band._asdict() for band in row.bands]} for row in measured]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def _resampled(some: Sample, score: Floats) -> list[tuple[float, float]]:
    """Return average precision by model and by minutes of the pairs drawn anew, with replacement."""
    rng = np.random.default_rng(SEED)
    answers = []
    for _ in range(RESAMPLES):
        rows: Ints = rng.integers(0, some.pairs, some.pairs)
        close = some.close[rows]
        answers.append((average_precision(close, score[rows]), average_precision(close, some.minutes[rows])))
    return answers


def _bands(close: Flags, score: Floats, draws: int) -> list[Band]:
    bands = []
    for low, high in pairwise(BANDS):
        inside = (score >= low) & (score < high)
        if inside.any():
            bands.append(Band(float(score[inside].mean()), float(close[inside].mean()), float(inside.sum()) / draws))
    return bands


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, INTERVAL).tolist()
    return low, high


def _mean(values: Iterable[float]) -> float:
    return fmean(values)
