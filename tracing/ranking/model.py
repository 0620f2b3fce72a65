"""The model: a sum of a few weighed numbers, made a probability. The weights are data, `model.toml`, with their source.

A number is changed by `jejak rank train` and nowhere else. Scoring needs numpy only.
"""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from tracing.exposure import Ints
from tracing.ranking.crowds import Floats
from tracing.ranking.shapes import Shapes

SCALE: Final = 1_000_000  # probabilities are whole millionths: what is written is what ranks
SHARE_MIN: Final = 0.01
CROWD_USUAL: Final = 100.0

NotNegative = Annotated[float, Meta(ge=0)]
NotPositive = Annotated[float, Meta(le=0)]


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one unit of each number adds to the log odds; the sign is fixed by what the number means."""

    share: NotNegative  # ln of the share of both stays that was together
    days: NotNegative  # ln of the number of days
    arrival: NotNegative
    leaving: NotNegative
    same_zone: NotNegative
    other_zone: NotPositive
    crowd: NotPositive  # ln of the crowd


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weights with where they come from."""

    id: str
    valid_from: date
    source: Annotated[str, Meta(min_length=1)]
    truth: str  # what "close" means here
    intercept: float  # log odds where every number below is 0
    weights: Weights


@cache
def shipped_model() -> Model:
    """Return the model that ships."""
    return msgspec.toml.decode(files("tracing.ranking").joinpath("model.toml").read_bytes(), type=Model)


def millionths_of(model: Model, shapes: Shapes) -> Ints:
    """Return each pair's probability of having been truly close, in millionths."""
    odds = np.full(shapes.share.size, model.intercept)
    for value, weight in zip(terms(shapes), msgspec.structs.astuple(model.weights), strict=True):
        odds += weight * value
    millionths: Ints = np.rint(SCALE / (1 + np.exp(-odds))).astype(np.int64)
    return millionths


def terms(shapes: Shapes) -> tuple[Floats, ...]:
    """Return the numbers that the weights belong to, in their order."""
    return (
        np.log(np.maximum(shapes.share, SHARE_MIN)),
        np.log(shapes.days),
        shapes.arrival,
        shapes.leaving,
        shapes.same_zone,
        shapes.other_zone,
        np.log(shapes.crowd / CROWD_USUAL),
    )
