"""The join under every exposure finds every overlap, whatever stands in the columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.instants import DAY_US
from tracing.overlaps import FEW, Index, Ints, Spans, Together

CENTURIES_US = 399 * 365 * DAY_US


def drawn(seed: int, count: int, facilities: int, span_us: int, *, odd: bool) -> Spans:
    random = np.random.default_rng(seed)
    start = random.integers(-span_us // 2, span_us // 2 + 1, count)
    length = random.integers(-1, 2, count) * random.integers(0, span_us // 4 + 2, count) // random.choice([1, 1000])
    facility = random.integers(0, facilities, count)
    return Spans((facility - 7) * (1 << 40) if odd else facility, start, start + length)


def naive(ones: Spans, others: Spans, rows: Ints, least: int = 1) -> list[tuple[int, int]]:
    """Return the pairs that overlap so long, looked for one by one."""
    return [
        (one, other)
        for one in range(ones.start.size)
        for other in sorted(rows.tolist())
        if ones.facility[one] == others.facility[other]
        and min(ones.end[one], others.end[other]) - max(ones.start[one], others.start[other]) >= least
        and ones.start[one] < ones.end[one]
        and others.start[other] < others.end[other]
    ]


@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(0, 40),
    facilities=st.sampled_from([1, 3, 1000]),
    span_us=st.sampled_from([10, DAY_US, CENTURIES_US]),
    chunk=st.integers(1, 50),
    least=st.sampled_from([1, 2, DAY_US // 20]),
    odd=st.booleans(),
    few=st.sampled_from([0, FEW]),
)
def test_every_overlap_that_is_long_enough_is_found_once_in_the_order_of_who_asks(
    seed: int, count: int, facilities: int, span_us: int, chunk: int, least: int, few: int, *, odd: bool
) -> None:
    ones = drawn(seed, count, facilities, span_us, odd=odd)
    others = drawn(seed + 1, count, facilities, span_us, odd=odd)
    rows = np.flatnonzero(np.random.default_rng(seed).integers(0, 4, count))
    index = Index(others, rows, few)
    one, other, start, end = index.overlaps(ones, least, chunk)
    assert sorted(zip(one.tolist(), other.tolist(), strict=True)) == naive(ones, others, rows, least)
    assert (np.diff(one) >= 0).all()
    assert np.array_equal(start, np.maximum(ones.start[one], others.start[other]))
    assert np.array_equal(end, np.minimum(ones.end[one], others.end[other]))
    whose = np.random.default_rng(seed).integers(0, 3, (2, count))
    apart = index.overlaps(ones, least, chunk, (whose[0], whose[1]))
    met = whose[0][one] != whose[1][other]
    assert all(np.array_equal(column, of[met]) for column, of in zip(apart, (one, other, start, end), strict=True))
    one, other, _, _ = index.overlaps(ones, chunk=chunk)
    assert (index.looked_at(ones) >= np.bincount(one, minlength=count)).all()


def pairs_of(together: Together, chunk: int) -> list[tuple[int, int]]:
    rows = together.rows
    found = [
        pair for some in together.pairs(chunk) for pair in zip(*(rows[places].tolist() for places in some), strict=True)
    ]
    assert together.size == len(found)
    return found


@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(0, 40),
    facilities=st.sampled_from([1, 3, 1000]),
    span_us=st.sampled_from([10, DAY_US, CENTURIES_US]),
    least=st.sampled_from([1, 2, 3, DAY_US // 20]),
    chunk=st.integers(1, 50),
    odd=st.booleans(),
    persons=st.sampled_from([1, 2, 5, 1000]),
)
def test_every_pair_that_is_together_long_enough_comes_once_who_begins_first_before_the_other(
    seed: int, count: int, facilities: int, span_us: int, least: int, chunk: int, persons: int, *, odd: bool
) -> None:
    spans = drawn(seed, count, facilities, span_us, odd=odd)
    person = np.random.default_rng(seed).integers(0, persons, count)
    found, apart = (pairs_of(Together(spans, least, whose), chunk) for whose in (None, person))
    assert apart == [(one, other) for one, other in found if person[one] != person[other]]
    assert all(spans.start[one] <= spans.start[other] for one, other in found)
    expected = [
        (one, other)
        for one, other in naive(spans, spans, np.arange(count))
        if one < other and min(spans.end[one], spans.end[other]) - max(spans.start[one], spans.start[other]) >= least
    ]
    assert sorted(tuple(sorted(pair)) for pair in found) == expected


@pytest.mark.parametrize("facilities", [300, 500])
def test_centuries_of_many_facilities_are_no_larger_than_a_number_can_be(facilities: int) -> None:
    number = np.arange(facilities, dtype=np.int64)
    start = np.where(number % 2, CENTURIES_US // 2, -CENTURIES_US // 2)
    spans = Spans(number, start, start + 5)
    one, other, _, _ = Index(spans).overlaps(spans)
    assert np.array_equal(one, number)
    assert np.array_equal(other, number)
