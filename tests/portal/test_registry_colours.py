"""Colours by the editions of the rules: laws, and the table as it was published."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.registry.colours import Action, Colour, Edition, Facts, action_of, colour_of, edition_of, editions

WIB = timezone(timedelta(hours=7))
ORDER = (Colour.BLACK, Colour.RED, Colour.YELLOW, Colour.GREEN)
FIRST, BOOSTER = datetime(2022, 2, 20, 9, tzinfo=WIB), datetime(2022, 7, 17, 9, tzinfo=WIB)

days = st.dates(date(2021, 1, 1), date(2027, 12, 31))
births = st.none() | st.dates(date(1930, 1, 1), date(2027, 12, 31))
doses = st.lists(st.tuples(st.integers(1, 6), days), max_size=6).map(tuple)
instants = st.datetimes(datetime(2021, 1, 1), datetime(2027, 12, 31), timezones=st.sampled_from([UTC, WIB]))  # noqa: DTZ001 — the strategy adds zones
facts = st.builds(Facts, birth_date=births, doses=doses, black_until=st.lists(instants, max_size=3).map(tuple))


def born(years: int, at: datetime) -> date:
    """Return the birth date of somebody who becomes so old that day."""
    return at.date().replace(year=at.year - years)


def given_doses(number: int) -> tuple[tuple[int, date], ...]:
    return tuple((one, date(2021, 3, 1) + timedelta(days=28 * one)) for one in range(1, number + 1))


@pytest.mark.parametrize(
    ("at", "age", "expected"),
    [
        (FIRST, 18, "red yellow green green"),
        (FIRST, 6, "red yellow green green"),
        (FIRST, 5, "green green green green"),
        (BOOSTER, 18, "red red yellow green"),
        (BOOSTER, 70, "red red yellow green"),
        (BOOSTER, 17, "red yellow green green"),
        (BOOSTER, 6, "red yellow green green"),
        (BOOSTER, 5, "green green green green"),
        (BOOSTER - timedelta(days=1), 18, "red yellow green green"),
    ],
)
def test_the_colours_are_those_of_the_published_table(at: datetime, age: int, expected: str) -> None:
    shown = [colour_of(Facts(birth_date=born(age, at), doses=given_doses(n)), at, editions()) for n in range(4)]
    assert shown == expected.split()


def test_a_birthday_changes_the_age_on_its_day_and_not_before() -> None:
    young = Facts(birth_date=date(2004, 8, 1), doses=given_doses(2))
    assert colour_of(young, datetime(2022, 7, 31, 23, 59, tzinfo=WIB), editions()) == Colour.GREEN
    assert colour_of(young, datetime(2022, 8, 1, 0, 0, tzinfo=WIB), editions()) == Colour.YELLOW


@given(facts, instants)
def test_who_is_black_is_black_whatever_the_doses_and_nobody_else_is(known: Facts, at: datetime) -> None:
    colour = colour_of(known, at, editions())
    assert (colour is Colour.BLACK) == any(until > at for until in known.black_until)


@given(facts, instants, st.tuples(st.integers(1, 6), days))
def test_one_more_dose_never_makes_it_worse(known: Facts, at: datetime, dose: tuple[int, date]) -> None:
    more = Facts(birth_date=known.birth_date, doses=(*known.doses, dose), black_until=known.black_until)
    assert ORDER.index(colour_of(more, at, editions())) >= ORDER.index(colour_of(known, at, editions()))


@given(facts, instants, st.randoms())
def test_order_and_repeats_of_what_is_known_do_not_matter(known: Facts, at: datetime, random: Random) -> None:
    again = [*known.doses, *known.doses[:2]]
    random.shuffle(again)
    same = Facts(birth_date=known.birth_date, doses=tuple(again), black_until=known.black_until[::-1])
    assert colour_of(same, at, editions()) == colour_of(known, at, editions())


@given(facts, instants)
def test_a_dose_counts_from_its_day_on(known: Facts, at: datetime) -> None:
    until_now = Facts(
        birth_date=known.birth_date,
        doses=tuple(one for one in known.doses if one[1] <= at.date()),
        black_until=known.black_until,
    )
    assert colour_of(until_now, at, editions()) == colour_of(known, at, editions())


@given(st.sampled_from(Colour), st.sampled_from(Action))
def test_nobody_is_turned_away_and_red_cannot_be_told_from_black(colour: Colour, yellow: Action) -> None:
    action = action_of(colour, yellow)
    assert action == {"green": Action.ADMIT, "yellow": yellow}.get(colour, Action.TRIAGE)
    assert action_of(Colour.RED, yellow) == action_of(Colour.BLACK, yellow)


@given(days)
def test_the_edition_in_force_is_the_latest_that_has_begun(day: date) -> None:
    rules: Sequence[Edition] = editions()
    begun = [one for one in rules if one.valid_from <= day]
    assert edition_of(day, rules) == (max(begun, key=lambda one: one.valid_from) if begun else rules[0])


def test_every_edition_names_its_source_and_ends_with_the_ages_of_everybody() -> None:
    assert [one.id for one in editions()] == ["first", "booster"]
    for edition in editions():
        years = [ages.from_years for ages in edition.ages]
        assert edition.source
        assert years == sorted(years, reverse=True)
        assert years[-1] == 0
        assert all(ages.yellow <= ages.green for ages in edition.ages)
