"""summary.json by its contract: against a naive version, and against figures that others have published."""

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tracing.naive_chains import naive_k, naive_summary
from tracing.chains.dispersion import Offspring, fit_k, interval_of_k, interval_of_mean
from tracing.chains.writing import chains

DAYS = ["", "2015-05-18", "2015-05-20", "2015-06-07", "1899-12-31"]
PERSONS = ["1", "10", "2", "a", "B", "é", "NA"]
EMPTY: dict[str, Any] = {
    "linelist": 0,
    "ids": 0,
    "contacts": 0,
    "in_degree": {"mean": None, "max": None, "max_id": None},
    "out_degree": {"mean": None, "max": None, "max_id": None},
    "components": {"count": 0, "sizes": []},
    "onset_interval_days": {"n": 0, "mean": None, "median": None},
    "offspring": {"n": 0, "R": None, "k": None, "share_80": None},
    "implausible_links": 0,
}

linelists = st.dictionaries(st.sampled_from(PERSONS), st.sampled_from(DAYS)).map(lambda rows: list(rows.items()))
contacts = st.lists(st.tuples(st.sampled_from(PERSONS), st.sampled_from(PERSONS)), max_size=20)


def table(header: str, rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([header, *map(",".join, rows)]) + "\n"


def summary_of_files(linelist: Sequence[Sequence[str]], links: Sequence[Sequence[str]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "L.csv").write_text(table("id,date_onset", linelist))
        (folder / "K.csv").write_text(table("from,to", links))
        chains(folder / "L.csv", folder / "K.csv", folder / "out")
        summary: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return summary


def same_but_for_rounding(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(same_but_for_rounding(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return isinstance(other, (int, float)) and math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


@settings(deadline=None, max_examples=60)
@given(linelists, contacts)
@example([], [])
@example([("a", "")], [])
@example([], [("a", "a")])
@example([("2", "2015-05-18"), ("10", "2015-05-20")], [("2", "10"), ("2", "10"), ("10", "2"), ("2", "2")])
def test_the_summary_is_what_the_naive_one_says(linelist: list[tuple[str, str]], links: list[tuple[str, str]]) -> None:
    found, expected = summary_of_files(linelist, links), naive_summary(linelist, links)
    assert same_but_for_rounding(found, expected), (found, expected)


@settings(deadline=None, max_examples=25)
@given(linelists, contacts, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    linelist: list[tuple[str, str]], links: list[tuple[str, str]], random: Any
) -> None:
    before = summary_of_files(linelist, links)
    random.shuffle(linelist)
    random.shuffle(links)
    assert summary_of_files(linelist, links) == before


def test_a_small_outbreak_by_hand() -> None:
    linelist = [("P1", "2021-07-01"), ("P2", "2021-07-04"), ("P3", "2021-07-06"), ("P4", ""), ("P5", "2021-06-30")]
    links = [("P1", "P2"), ("P1", "P3"), ("P1", "P4"), ("P1", "P5"), ("X", "Y")]
    assert summary_of_files(linelist, links) == {
        "linelist": 5,
        "ids": 7,
        "contacts": 5,
        "in_degree": {"mean": 5 / 7, "max": 1, "max_id": "P2"},
        "out_degree": {"mean": 5 / 7, "max": 4, "max_id": "P1"},
        "components": {"count": 2, "sizes": [5, 2]},
        "onset_interval_days": {"n": 3, "mean": 7 / 3, "median": 3.0},
        "offspring": {"n": 7, "R": 5 / 7, "k": pytest.approx(naive_k([4, 1, 0, 0, 0, 0, 0])), "share_80": 1 / 7},
        "implausible_links": 1,
    }


def test_no_rows_give_zeros_and_nulls() -> None:
    assert summary_of_files([], []) == EMPTY


def test_a_line_list_alone_has_offspring_of_zero_and_no_share() -> None:
    offspring = {"n": 2, "R": 0.0, "k": None, "share_80": None}
    assert summary_of_files([("a", "2015-05-18"), ("b", "")], []) == {**EMPTY, "linelist": 2, "offspring": offspring}


def test_repeated_rows_count_as_rows_and_a_self_link_as_both_ends() -> None:
    found = summary_of_files([("a", "2015-05-18")], [("a", "a"), ("b", "a"), ("b", "a")])
    assert found["in_degree"] == {"mean": 1.5, "max": 3, "max_id": "a"}
    assert found["out_degree"] == {"mean": 1.5, "max": 2, "max_id": "b"}
    assert found["onset_interval_days"] == {"n": 1, "mean": 0, "median": 0}
    assert found["components"] == {"count": 1, "sizes": [2]}


def test_at_a_tie_the_id_smallest_by_code_point_is_named() -> None:
    for ids in (["10", "9"], ["B", "a"], ["z", "é"], ["NA", "na"], ["007", "7"]):
        assert summary_of_files([], [(ids[1], ids[0]), (ids[0], ids[1])])["out_degree"]["max_id"] == ids[0]


def test_exactly_eighty_percent_is_enough() -> None:
    links = [("a", str(number)) for number in range(4)] + [("b", "c")]
    assert summary_of_files([], links)["offspring"]["share_80"] == 1 / 7
    assert summary_of_files([], [*links, ("b", "c")])["offspring"]["share_80"] == 2 / 7


def test_red_mites_on_apple_leaves_have_the_k_of_bliss_and_fisher() -> None:
    """Biometrics 9, 1953, p. 180: 150 leaves, k = 1.02459."""
    leaves = np.repeat(np.arange(8), [70, 38, 17, 10, 9, 3, 2, 1])
    assert fit_k(Offspring(leaves)) == pytest.approx(1.02459, abs=5e-6)


@pytest.mark.parametrize("k", [0.05, 0.16, 0.5, 2.0, 10.0])
def test_k_of_drawn_offspring_is_found_again(k: float) -> None:
    mean = 1.6
    drawn = np.random.default_rng(7).negative_binomial(k, k / (k + mean), 200_000)
    offspring = Offspring(drawn)
    found = fit_k(offspring)
    assert found == pytest.approx(k, rel=0.03)
    assert found is not None
    low, high = interval_of_k(offspring, found)
    assert low < found < (high or math.inf)
    assert found / low == pytest.approx((high or math.inf) / found, rel=0.2)
    interval = interval_of_mean(offspring, found)
    assert interval is not None
    assert interval[0] < mean < interval[1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=25))
@example([2, 2, 2, 2, 0, 0, 0, 0, 1, 5])
@example([60] + [0] * 24)
@example([3, 0, 0, 1, 1, 1, 1])
def test_k_is_where_the_likelihood_is_greatest(counts: list[int]) -> None:
    found, expected = fit_k(Offspring(np.array(counts))), naive_k(counts)
    assert (found is None) == (expected is None)
    assert same_but_for_rounding(found, expected), (found, expected)


@pytest.mark.parametrize("counts", [[2] * 5, [1, 0], [0, 0], [3, 1, 2], [2, 0] * 4])
def test_offspring_that_vary_no_more_than_chance_have_no_k(counts: list[int]) -> None:
    assert fit_k(Offspring(np.array(counts))) is None


def test_k_is_found_at_both_ends_of_what_a_float_can_hold() -> None:
    star = np.zeros(100_001, np.int64)
    star[0] = 100_000
    mean, k = 100_000 / 100_001, fit_k(Offspring(star))
    assert k is not None
    assert sum(1 / (k + j) for j in range(100_000)) == pytest.approx(100_001 * math.log1p(mean / k), rel=1e-9)
    hardly = [1] * 99 + [2] + [0] * 5_001  # n² times the variance is 1 above n² times the mean
    offspring = Offspring(np.array(hardly))
    assert offspring.excess == 1
    found = fit_k(offspring)
    assert found == pytest.approx(naive_k(hardly), rel=1e-9)
    assert found is not None
    assert interval_of_k(offspring, found)[1] is None


def test_few_offspring_have_the_exact_interval_of_poisson() -> None:
    """Garwood, Biometrika 28, 1936: 10 events, 4.795 to 18.391; none, 0 to 3.689."""
    ten = interval_of_mean(Offspring(np.ones(10, np.int64)), None)
    none = interval_of_mean(Offspring(np.zeros(1, np.int64)), None)
    assert ten == pytest.approx((0.4795, 1.8391), abs=1e-4)
    assert none == pytest.approx((0, 3.6889), abs=1e-4)
    assert interval_of_mean(Offspring(np.zeros(0, np.int64)), None) is None


def test_figures_do_not_depend_on_how_ids_are_spelled() -> None:
    links = [("a", "b"), ("a", "c"), ("b", "d")]
    found = summary_of_files([("a", "2015-05-18")], links)
    quoted = [(f'"{one},x"', f'"{other},x"') for one, other in links]
    renamed = summary_of_files([('"a,x"', "2015-05-18")], quoted)
    renamed["in_degree"]["max_id"] = renamed["in_degree"]["max_id"].removesuffix(",x")
    renamed["out_degree"]["max_id"] = renamed["out_degree"]["max_id"].removesuffix(",x")
    assert renamed == found
