"""Learning the weights: what is most likely at places where it is known who was close. Same data, same weights.

Only what the data can tell is learnt, and only with the sign that it must have.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import msgspec
import numpy as np
from scipy.optimize import minimize

from tracing.exposure import Flags
from tracing.ranking.crowds import Floats
from tracing.ranking.model import Model, Weights, terms
from tracing.ranking.places import CLOSE_S, Place, Sample, sample

SEED: Final = 413
DRAWS: Final = 3  # of the delays
WINDOWS: Final = (None, 3)  # a trace sees all days of a place, or some
PLACE_WEIGHT: Final = 200.0  # each place counts as so many close pairs, however many it has
RIDGE: Final = 1.0
DECIMALS: Final = 4
TRUTH: Final = f"{CLOSE_S // 60} min or more face to face in all, on the days looked at"
CROWD: Final = (
    -1.0
)  # twice the crowd, half the odds: who is close to a few is so in any crowd. Not learnt: places are few.
LEARNT: Final = tuple(name for name in Weights.__struct_fields__ if name != "crowd")
_FREE: Final = (None, None)
_SIGNS: Final = {"other_zone": (None, 0.0)}
_SLOPES: Final = (0.05, 1.0)  # another place can only be less certain than those learnt from

Bounds = Sequence[tuple[float | None, float | None]]


class Rows(NamedTuple):
    """What is learnt from: one row per pair."""

    terms: Floats  # a column per weight that is learnt
    crowd: Floats
    close: Flags
    weight: Floats


class Learner:
    """Learns from some places; the delays are drawn once."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._rows = [_rows_of(place, number) for number, place in enumerate(places)]
        self._fitted: dict[tuple[int, ...], Floats] = {}

    def model(self, learnt_from: Sequence[int], *, model_id: str, valid_from: date, source: str) -> Model:
        """Return the model learnt from these places.

        Its log odds are then shrunk, all alike, by what leaving out each of the places in turn shows (Platt's
        scaling): so a probability is what is to be expected at a place that is not among them. The order of the
        pairs stays.
        """
        weights, shift, slope = self._weights(learnt_from), 0.0, 1.0
        if len(learnt_from) > 1:
            shift, slope = self._calibration(learnt_from)
        values = [*(weights[1:] * slope).tolist(), CROWD * slope]
        learnt = Weights(*(round(value, DECIMALS) + 0.0 for value in values))  # no minus zero
        return Model(model_id, valid_from, source, TRUTH, round(float(weights[0] * slope + shift), DECIMALS), learnt)

    def _weights(self, learnt_from: Sequence[int]) -> Floats:
        """Return intercept and weights."""
        key = tuple(learnt_from)
        if key not in self._fitted:
            rows = self._joined(learnt_from)
            columns = np.column_stack([np.ones(rows.close.size), rows.terms])
            bounds = [_FREE, *(_SIGNS.get(name, (0.0, None)) for name in LEARNT)]
            ridge = np.array([0.0] + [RIDGE] * len(LEARNT))
            self._fitted[key] = _most_likely(columns, CROWD * rows.crowd, rows, ridge, bounds)
        return self._fitted[key]

    def _calibration(self, learnt_from: Sequence[int]) -> tuple[float, float]:
        """Return shift and slope of the log odds at places left out."""
        odds = []
        for place in learnt_from:
            weights = self._weights([other for other in learnt_from if other != place])
            own = self._rows[place]
            odds.append(weights[0] + own.terms @ weights[1:] + CROWD * own.crowd)
        whole = self._joined(learnt_from)
        columns = np.column_stack([np.ones(whole.close.size), np.concatenate(odds)])
        found = _most_likely(columns, np.zeros(whole.close.size), whole, np.zeros(2), [_FREE, _SLOPES])
        return float(found[0]), float(found[1])

    def _joined(self, places: Sequence[int]) -> Rows:
        return _joined([self._rows[place] for place in places])


def model_toml(model: Model) -> str:
    """Return the model as the file that ships, the same bytes for the same model."""
    lines = ["# Made by `jejak rank train`; docs/ranking.md is its card, tracing/ranking/model.py uses it."]
    lines += [f'id = "{model.id}"', f"valid_from = {model.valid_from.isoformat()}", f'source = "{model.source}"']
    lines += [f'truth = "{model.truth}"', f"intercept = {model.intercept:.{DECIMALS}f}", "", "[weights]"]
    lines += [f"{name} = {value:.{DECIMALS}f}" for name, value in msgspec.structs.asdict(model.weights).items()]
    return "\n".join(lines) + "\n"


def _rows_of(place: Place, number: int) -> Rows:
    """Return a place's rows over several delays and windows, once with zones and once without."""
    parts = []
    for draw in range(DRAWS):
        for days in WINDOWS:
            some = sample(place, np.random.default_rng((SEED, number, draw, days or 0)), days=days)
            parts += [_rows(some), _rows(some.without_zones())]
    rows = _joined(parts)
    return rows._replace(weight=rows.weight * (PLACE_WEIGHT / max(float(rows.close.sum()), 1.0)))


def _rows(some: Sample) -> Rows:
    *learnt, crowd = terms(some.shapes)
    return Rows(np.column_stack(learnt), crowd, some.close, np.ones(some.pairs))


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _most_likely(columns: Floats, offset: Floats, rows: Rows, ridge: Floats, bounds: Bounds) -> Floats:
    """Return the weights of the most likely logistic model; a column's weight is penalised by its square."""
    scale = columns.std(axis=0)
    scale[scale == 0] = 1.0
    scaled = columns / scale  # so that the search does not have to learn the units

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = offset + scaled @ weights
        likely = rows.weight * (np.logaddexp(0.0, odds) - rows.close * odds)
        miss = rows.weight * (1 / (1 + np.exp(-odds)) - rows.close)
        return float(likely.sum() + (ridge * weights**2).sum() / 2), scaled.T @ miss + ridge * weights

    how = {"ftol": 1e-12, "gtol": 1e-6, "maxiter": 1000}
    found = minimize(loss, np.zeros(scale.size), jac=True, method="L-BFGS-B", bounds=bounds, options=how)
    assert found.success, found.message
    weights: Floats = found.x / scale
    return weights
