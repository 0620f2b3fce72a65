"""The weights are learnt again byte for byte, and rank a place they never saw at least twice as well as minutes do."""

from datetime import date
from importlib.resources import files
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.presence import TRUE_CONTACTS, VISITS
from tracing.ranking.learning import SEED, Learner, model_toml
from tracing.ranking.measuring import area_under_curve, average_precision
from tracing.ranking.model import millionths_of, shipped_model
from tracing.ranking.places import Place, read_places, sample

SCORED = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def places() -> list[Place]:
    return read_places(VISITS, TRUE_CONTACTS)


@pytest.fixture(scope="module")
def learner(places: list[Place]) -> Learner:
    return Learner(places)


def test_the_weights_that_ship_are_learnt_again_byte_for_byte(learner: Learner) -> None:
    shipped = shipped_model()
    again = learner.model(range(3), model_id=shipped.id, valid_from=shipped.valid_from, source=shipped.source)
    assert model_toml(again) == files("tracing.ranking").joinpath("model.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(3))
def test_a_place_never_seen_is_ranked_twice_as_well_as_by_minutes(
    places: list[Place], learner: Learner, number: int
) -> None:
    others = [other for other in range(3) if other != number]
    model = learner.model(others, model_id="unseen", valid_from=date.min, source="the others")
    draws = [sample(places[number], np.random.default_rng((SEED, number, 1000 + draw))) for draw in range(6)]
    by_model = fmean(
        average_precision(some.close, millionths_of(model, some.shapes).astype(np.float64)) for some in draws
    )
    assert by_model >= 2 * fmean(average_precision(some.close, some.minutes) for some in draws)


def test_delays_are_what_hides_that_a_check_in_was_a_first_contact(places: list[Place]) -> None:
    one, other = (sample(places[0], np.random.default_rng(seed)) for seed in (1, 2))
    again = sample(places[0], np.random.default_rng(1))
    assert one.minutes.tolist() == again.minutes.tolist() != other.minutes.tolist()


@given(SCORED)
def test_average_precision_is_the_mean_precision_at_each_close_pair(scored: list[tuple[bool, int]]) -> None:
    close, score = np.array([was for was, _ in scored]), np.array([float(said) for _, said in scored])
    naive = [
        sum(was for was, other in scored if other >= said) / sum(other >= said for _, other in scored)
        for was, said in scored
        if was
    ]
    assert average_precision(close, score) == pytest.approx(fmean(naive) if naive else 0)


@given(SCORED)
def test_the_area_is_how_often_a_close_pair_is_above_another(scored: list[tuple[bool, int]]) -> None:
    close, score = np.array([was for was, _ in scored]), np.array([float(said) for _, said in scored])
    wins = [(a > b) + (a == b) / 2 for was, a in scored if was for is_close, b in scored if not is_close]
    assert area_under_curve(close, score) == pytest.approx(fmean(wins) if wins else 0)
