"""Which cases the report tells in detail, and what has to be kept of them while answers go by.

Of ten thousand cases only the few with most candidates are kept: size and memory of the report are theirs.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from tracing.exposure import Ints
from tracing.filetrace.columns import CONTACT_COLUMNS
from tracing.filetrace.contacts import Contacts
from tracing.filetrace.tables import Batch, Contact
from tracing.report.facts import CONTACTS_MAX, EXPOSURES_MAX, SECOND_MAX, SOURCES_MAX, Group


class Kept:
    """A candidate whose lane and row are shown."""

    def __init__(self, batch: Batch, contact: Contact, rank: int, row: Sequence[str]) -> None:
        own = slice(contact.exposures.start, contact.exposures.stop)
        self.person, self.source, self.degree, self.rank = contact.target, contact.source, contact.degree, rank
        self.row = dict(zip(CONTACT_COLUMNS, row, strict=True))
        self.counted = contact.counted
        starts, ends = batch.found.start[own], batch.found.end[own]
        self.longest_us = int((ends - starts).max())
        longest_first = np.sort(np.argsort(starts - ends, kind="stable")[:EXPOSURES_MAX])
        self.from_row, self.to_row = batch.found.from_row[own][longest_first], batch.found.to_row[own][longest_first]
        self.start, self.end = starts[longest_first], ends[longest_first]


class Draft:
    """One case while its contacts go by."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.kept: list[Kept] = []
        self.met: Counter[str] = Counter()
        self.sources: list[Mapping[str, str]] = []
        self.sources_found = 0
        self._rows: list[Ints] = []
        self._kept_of = {1: 0, 2: 0}
        self._groups: dict[tuple[int, str, str, int, str], tuple[int, list[int]]] = {}
        self._group_of: dict[str, int] = {}

    @property
    def rows(self) -> Ints:
        """Return the visits behind all exposures of first degree, each once."""
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *self._rows]))

    def add(self, batch: Batch, contact: Contact, rank: int, row: Sequence[str], own_case: str) -> None:
        """Add a contact; they come by degree and rank."""
        most = CONTACTS_MAX if contact.degree == 1 else SECOND_MAX
        if self._kept_of[contact.degree] < most:
            self._kept_of[contact.degree] += 1
            self.kept.append(Kept(batch, contact, rank, row))
        parent = -1
        if contact.degree == 1:
            own = slice(contact.exposures.start, contact.exposures.stop)
            self._rows += [batch.found.from_row[own], batch.found.to_row[own]]
            self.met[contact.facility] += 1
        else:
            parent = self._group_of[contact.source]
        day = batch.starts[contact.exposures.start][:10]
        key = (contact.degree, day, contact.facility, parent, own_case)
        number, people = self._groups.setdefault(key, (len(self._groups), [0]))
        people[0] += 1
        if contact.degree == 1:
            self._group_of[contact.target] = number

    def groups(self, onsets: Mapping[str, date | None]) -> tuple[Group, ...]:
        """Return the nodes of the chain; `onsets` are those of the cases by case id."""
        return tuple(
            Group(degree, date.fromisoformat(day), facility, people[0], parent, own_case, onsets.get(own_case))
            for (degree, day, facility, parent, own_case), (_, people) in self._groups.items()
        )


class Selection:
    """The cases with most candidates so far."""

    def __init__(self, cases: int, most: int, own_cases: Mapping[str, str]) -> None:
        self.counts = np.zeros((2, cases), dtype=np.int64)
        self._most = most
        self._own_cases = own_cases
        self._drafts: dict[int, Draft] = {}

    def begin(self, contacts: Contacts) -> None:
        """Take note of all contacts of some cases before they come one by one."""
        for degree in (1, 2):
            found = contacts.case[contacts.degree == degree]
            self.counts[degree - 1] += np.bincount(found, minlength=self.counts.shape[1])
        here = np.unique(contacts.case).tolist()
        best = sorted({*self._drafts, *here}, key=lambda number: (-self.counts[0, number], number))[: self._most]
        self._drafts = {number: self._drafts.get(number) or Draft(number) for number in best}

    def add(self, batch: Batch, contact: Contact, rank: int, row: Sequence[str]) -> None:
        """Add a contact, if his case is one of them."""
        draft = self._drafts.get(contact.case_no)
        if draft is not None:
            draft.add(batch, contact, rank, row, self._own_cases.get(contact.target, ""))

    def fill(self) -> None:
        """Take the first cases without a contact where there is room."""
        for number in range(self.counts.shape[1]):
            if len(self._drafts) >= self._most:
                break
            self._drafts.setdefault(number, Draft(number))

    def add_source(self, number: int, row: Mapping[str, str]) -> None:
        """Add a possible source, in the order of rank."""
        draft = self._drafts.get(number)
        if draft is not None:
            draft.sources_found += 1
            if len(draft.sources) < SOURCES_MAX:
                draft.sources.append(row)

    def drafts(self) -> list[Draft]:
        """Return the cases kept, most candidates first."""
        return sorted(self._drafts.values(), key=lambda one: (-self.counts[0, one.number], one.number))
