"""The town that is traced: visits by a seed, the same for every contender, as arrays and as Parquet.

Ten visits a person in thirteen weeks. Four of five stays last a short while, staff a shift, some days, a few weeks.
Places differ in size. Capped, places become more with the visits; uncapped, the same places become more crowded.
"""

from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tracing.exposure import Ints, Visits
from tracing.instants import DAY_US, HOUR_US, MINUTE_US, utc_of
from tracing.rulesets import Rule
from tracing.windows import case_window

FIRST_US: Final = 1_786_320_000_000_000  # Monday, 10 August 2026, in UTC
WEEKS: Final = 13
VISITS_A_PERSON: Final = 10
VISITS_A_FACILITY: Final = 33_333
RECORDED: Final = 0.8  # of the check-outs
FACILITIES: Final = 300  # of an uncapped town
ZONE: Final = "Asia/Jakarta"


class Size(NamedTuple):
    """How large a town is."""

    visits: int
    capped: bool = True

    @property
    def facilities(self) -> int:
        """How many places share the visits."""
        return max(10, self.visits // VISITS_A_FACILITY) if self.capped else FACILITIES

    @property
    def persons(self) -> int:
        """How many people come."""
        return max(100, self.visits // VISITS_A_PERSON)


class Case(NamedTuple):
    """Who is asked about, and the window of his infectious days."""

    person: int
    day: int  # of onset, days after the first
    start: int
    end: int


def make_visits(size: Size, seed: int = 1) -> Visits:
    """Return the visits by check-in; two visits of a person may be at one time, as in data of any kind."""
    random = np.random.default_rng(seed)
    weights = 1 / np.sqrt(np.arange(1, size.facilities + 1))
    facility = random.choice(size.facilities, size.visits, p=weights / weights.sum()) + 1
    day = random.integers(0, 7 * WEEKS, size.visits)
    check_in = FIRST_US + day * DAY_US + (random.random(size.visits) * 14 * HOUR_US).astype(np.int64)
    kind = random.choice(4, size.visits, p=[0.80, 0.15, 0.045, 0.005])
    longest = np.array([3 * HOUR_US, 9 * HOUR_US, 4 * DAY_US, 20 * DAY_US])[kind]
    length = MINUTE_US + (random.random(size.visits) * longest).astype(np.int64)
    order = np.argsort(check_in, kind="stable")
    person = random.integers(0, size.persons, size.visits)
    recorded = random.random(size.visits) < RECORDED
    return some_of(Visits(person, facility, check_in, check_in + length, recorded), order)


def some_of(visits: Visits, rows: Ints) -> Visits:
    """Return these rows of the visits."""
    return Visits(
        visits.person[rows],
        visits.facility[rows],
        visits.check_in[rows],
        visits.check_out[rows],
        visits.recorded[rows],
    )


def make_cases(size: Size, rule: Rule, number: int, seed: int = 2) -> list[Case]:
    """Return cases: different persons, onset in the middle of the time."""
    random = np.random.default_rng(seed)
    persons = random.choice(size.persons, min(number, size.persons), replace=False).tolist()
    days = random.integers(14, 7 * WEEKS - 21, len(persons)).tolist()
    windows = {day: case_window(rule, onset_of(day), None, ZONE) for day in set(days)}
    return [Case(person, day, *windows[day]) for person, day in zip(persons, days, strict=True)]


def onset_of(day: int) -> date:
    """Return the date of a case's onset."""
    return utc_of(FIRST_US + day * DAY_US).date()


def write_town(folder: Path, visits: Visits, cases: list[Case]) -> None:
    """Write visits.parquet (a visit's id is its place) and cases.parquet for contenders in processes of their own."""
    names = ("person", "facility", "check_in", "check_out", "recorded")
    columns = {"visit": np.arange(visits.person.size, dtype=np.int64), **dict(zip(names, visits, strict=True))}
    parquet.write_table(pa.table(columns), folder / "visits.parquet", row_group_size=1_000_000)
    asked = {name: [getattr(case, name) for case in cases] for name in Case._fields}
    parquet.write_table(pa.table({"case": list(range(len(cases))), **asked}), folder / "cases.parquet")


def read_visits(folder: Path) -> Visits:
    """Return the visits of a town that was written."""
    table = parquet.read_table(folder / "visits.parquet")
    columns = [table.column(name).to_numpy() for name in Visits._fields]
    return Visits(*columns)
