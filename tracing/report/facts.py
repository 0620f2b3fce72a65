"""What a report is made of, as plain values; the page computes nothing that is not here. Times are microseconds."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

from tracing.cases.onset import StayAtOnset
from tracing.ranking.words import Counted
from tracing.windows import Window

CONTACTS_MAX: Final = 76  # of first degree in a case's lanes and table: two printed pages
SECOND_MAX: Final = 40
EXPOSURES_MAX: Final = 60  # of one candidate in his lane
SOURCES_MAX: Final = 25


class Facility(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a case met somebody; what the file does not say is empty."""

    facility_id: str
    letter: str
    colour: str
    name: str = ""
    district: str = ""
    latitude: float | None = None
    longitude: float | None = None

    @property
    def title(self) -> str:
        """The name, where there is one."""
        return self.name or self.facility_id


class Stay(NamedTuple):
    """A visit as a lane shows it."""

    facility_id: str
    zone: str
    start: int
    end: int
    estimated: bool  # nobody scanned the end


class Overlap(NamedTuple):
    """A counted exposure."""

    facility_id: str
    start: int
    end: int


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate with his row of contacts.csv and what his lane shows."""

    person_id: str
    source: str
    degree: int
    rank: int
    row: Mapping[str, str]
    stays: tuple[Stay, ...]
    overlaps: tuple[Overlap, ...]
    longest_us: int
    counted: Counted  # for where he stands
    own_case: str = ""  # of somebody who is a case of the file himself
    notes: tuple[str, ...] = ()  # vehicle, apart, ppe, unproven, case: what only a stored trace knows


class Group(NamedTuple):
    """Candidates who first met the same way on the same day: a node of the chain."""

    degree: int
    day: date
    facility_id: str
    people: int
    parent: int  # which group infected them, -1: the case
    case_id: str = ""  # of a group that is one case of his own
    onset: date | None = None


class Source(NamedTuple):
    """A possible source of a case."""

    person_id: str
    rank: int
    plausible: bool
    case_id: str
    onset: date | None
    row: Mapping[str, str]


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What the visits behind a case's exposures rest on; None where the file does not say."""

    visits: int
    open_visits: int
    estimated: int | None
    manual: int | None
    unproven: int | None
    late: int | None
    latest_us: int | None = None  # the longest that a scan took to arrive


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case in detail."""

    case_id: str
    person_id: str
    day_zero: date
    day_word: str
    date_onset: date | None
    date_specimen: date | None
    date_isolation: date | None
    window: Window
    candidates: tuple[int, int]  # of first and second degree
    contacts: tuple[Contact, ...]  # those that are shown, by degree and rank
    stays: tuple[Stay, ...]
    groups: tuple[Group, ...]
    sources: tuple[Source, ...]
    sources_found: int
    met: Mapping[str, int]  # candidates of first degree by the facility of their longest exposure
    facilities: tuple[Facility, ...]
    quality: Quality
    hospital: StayAtOnset | None
    roles_known: bool


class IndexRow(NamedTuple):
    """A case in the index."""

    case_id: str
    person_id: str
    day_zero: date
    day_word: str
    window: Window
    candidates: tuple[int, int]
    shown: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page says."""

    header: Mapping[str, Any]  # that of trace.json
    latest: int | None  # the high-water mark
    asked_at: int
    index: tuple[IndexRow, ...]
    cases_found: int
    candidates: tuple[int, int]  # of all cases, by degree
    cases: tuple[Case, ...]
    facilities: tuple[Facility, ...]
    met: Mapping[str, int]  # of all cases shown
