"""From a trace of files to what its report says: visits behind the lanes, places, and what the extra columns tell.

Extra columns of V.csv that are used where they are: facility_name, district, latitude, longitude; role, channel,
assurance, received_at, check_out_estimated, in the words of a scan. What cannot be read is as if it were not there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from schemas.errors import BadInput
from tracing.cases.onset import StayAtOnset
from tracing.exposure import Ints
from tracing.files import instant_us
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.detail import Draft, Kept, Selection
from tracing.filetrace.inpatients import ROLE
from tracing.filetrace.visit_file import VisitFile
from tracing.instants import DAY_US
from tracing.look import COLOURS
from tracing.report.facts import Case, Contact, Facility, IndexRow, Overlap, Quality, Report, Source, Stay
from tracing.report.lanes import letters
from tracing.windows import Window

INDEX_MAX: Final = 500
LATE_US: Final = DAY_US
_UNKNOWN: Final = "unknown"


class Facts:
    """What the report of one trace says."""

    def __init__(
        self,
        visits: VisitFile,
        cases: Sequence[FileCase],
        persons: Sequence[int],
        windows: Sequence[Window],
        onsets: Mapping[int, StayAtOnset],
        selection: Selection,
        time_zone: str,
    ) -> None:
        self._visits, self._cases, self._persons, self._windows = visits, cases, persons, windows
        self._onsets, self._selection, self._time_zone = onsets, selection, time_zone
        self._case_onsets = {case.case_id: case.date_onset for case in cases}
        self._own_cases = {case.person_id: case.case_id for case in reversed(cases)}
        self._drafts = selection.drafts()
        self._own_rows = [self._rows_of(draft) for draft in self._drafts]
        needed = [*self._own_rows, *(draft.rows for draft in self._drafts)]
        needed += [kept.to_row for draft in self._drafts for kept in draft.kept]
        rows = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *needed]))
        self._extra = {
            row: dict(zip(visits.extra_columns, detail.extra, strict=True))
            for row, detail in zip(rows.tolist(), visits.details(rows), strict=True)
        }
        self._facilities = self._all_facilities(rows)

    def report(self, header: Mapping[str, Any], latest: int | None, asked_at: int) -> Report:
        """Return everything."""
        met: Counter[str] = Counter()
        for draft in self._drafts:
            met.update(draft.met)
        cases = tuple(self._case(draft, rows) for draft, rows in zip(self._drafts, self._own_rows, strict=True))
        counts = self._selection.counts
        return Report(
            header=header,
            latest=latest,
            asked_at=asked_at,
            index=tuple(self._index()),
            cases_found=len(self._cases),
            candidates=(int(counts[0].sum()), int(counts[1].sum())),
            cases=cases,
            facilities=tuple(one for one in self._facilities.values() if met[one.facility_id]),
            met=met,
        )

    def _index(self) -> Iterable[IndexRow]:
        counts = self._selection.counts
        shown = {draft.number for draft in self._drafts}
        order = np.lexsort((np.arange(counts.shape[1]), -counts[0]))[:INDEX_MAX]
        for number in order.tolist():
            case = self._cases[number]
            candidates = int(counts[0, number]), int(counts[1, number])
            window = self._windows[number]
            yield IndexRow(
                case.case_id, case.person_id, case.day_zero, case.day_word, window, candidates, number in shown
            )

    def _rows_of(self, draft: Draft) -> Ints:
        """Return the case's own visits in his window, and what the rule made of visits beside it."""
        columns, window = self._visits.columns.visits, self._windows[draft.number]
        rows = np.flatnonzero(columns.person == self._persons[draft.number])
        inside = (columns.check_in[rows] < window.end) & (columns.check_out[rows] >= window.start)
        used = [kept.from_row for kept in draft.kept if kept.degree == 1]
        rows = np.unique(np.concatenate([rows[inside], *used]))
        return rows[np.argsort(columns.check_in[rows], kind="stable")]

    def _case(self, draft: Draft, own: Ints) -> Case:
        number, case = draft.number, self._cases[draft.number]
        counts = self._selection.counts
        contacts = tuple(map(self._contact, draft.kept))
        stays = tuple(self._stay(row) for row in own.tolist())
        used = Counter(draft.met)
        used.update(dict.fromkeys([stay.facility_id for stay in stays], 0))
        used.update(dict.fromkeys([one.facility_id for contact in contacts for one in contact.overlaps], 0))
        return Case(
            case_id=case.case_id,
            person_id=case.person_id,
            day_zero=case.day_zero,
            day_word=case.day_word,
            date_onset=case.date_onset,
            date_specimen=case.date_specimen,
            date_isolation=case.date_isolation,
            window=self._windows[number],
            candidates=(int(counts[0, number]), int(counts[1, number])),
            contacts=contacts,
            stays=stays,
            groups=draft.groups(self._case_onsets),
            sources=tuple(map(self._source, draft.sources)),
            sources_found=draft.sources_found,
            met=draft.met,
            facilities=tuple(one for one in self._facilities.values() if one.facility_id in used),
            quality=self._quality(draft.rows),
            hospital=self._onsets.get(number),
            roles_known=ROLE in self._visits.extra_columns,
        )

    def _contact(self, kept: Kept) -> Contact:
        facilities, numbers = self._visits.columns.facilities, self._visits.columns.visits.facility
        overlaps = [
            Overlap(facilities[int(numbers[row])], start, end)
            for row, start, end in zip(kept.from_row.tolist(), kept.start.tolist(), kept.end.tolist(), strict=True)
        ]
        return Contact(
            person_id=kept.person,
            source=kept.source,
            degree=kept.degree,
            rank=kept.rank,
            row=kept.row,
            stays=tuple(self._stay(row) for row in dict.fromkeys(kept.to_row.tolist())),
            overlaps=tuple(overlaps),
            longest_us=kept.longest_us,
            counted=kept.counted,
            own_case=self._own_cases.get(kept.person, ""),
        )

    def _source(self, row: Mapping[str, str]) -> Source:
        case_id = row["source_case_id"]
        unknown = row["from"] == _UNKNOWN and row["overlaps"] == "0"
        onset = self._case_onsets.get(case_id) or self._case_onsets.get(case_id.removeprefix("'"))
        person = "" if unknown else row["from"]
        return Source(person, int(row["rank"]), row["plausible"] == "true", case_id, onset, row)

    def _stay(self, row: int) -> Stay:
        columns = self._visits.columns
        visits = columns.visits
        estimated = not visits.recorded[row] or self._extra[row].get("check_out_estimated", "").lower() == "true"
        where = columns.facilities[int(visits.facility[row])], columns.zones[int(columns.zone[row])]
        return Stay(*where, int(visits.check_in[row]), int(visits.check_out[row]), bool(estimated))

    def _all_facilities(self, rows: Ints) -> dict[str, Facility]:
        """Return the facilities by how many were met there; the first row that says something of one is believed."""
        met: Counter[str] = Counter()
        for draft in self._drafts:
            met.update(draft.met)
        said: dict[str, dict[str, str]] = {}
        columns = self._visits.columns
        for row in rows.tolist():
            known = said.setdefault(columns.facilities[int(columns.visits.facility[row])], {})
            for name, value in self._extra[row].items():
                if value:
                    known.setdefault(name, value)
        order = sorted(said, key=lambda facility: (-met[facility], facility))
        marks = letters(order, COLOURS)
        return {facility: _facility(facility, *marks[facility], said[facility]) for facility in order}

    def _quality(self, rows: Ints) -> Quality:
        columns = self._visits.columns.visits
        extra = [self._extra[row] for row in rows.tolist()]
        late, latest = self._lateness(rows)
        return Quality(
            visits=int(rows.size),
            open_visits=int((~columns.recorded[rows]).sum()),
            estimated=self._counted("check_out_estimated", "true", extra),
            manual=self._counted("channel", "officer", extra),
            unproven=self._counted("assurance", "self", extra),
            late=late,
            latest_us=latest,
        )

    def _counted(self, column: str, word: str, extra: Sequence[Mapping[str, str]]) -> int | None:
        if column not in self._visits.extra_columns:
            return None
        return sum(row[column].strip().lower() == word for row in extra)

    def _lateness(self, rows: Ints) -> tuple[int | None, int | None]:
        """Return how many visits arrived late, and the longest that one took; counted from its last scan."""
        if "received_at" not in self._visits.extra_columns:
            return None, None
        columns = self._visits.columns.visits
        took = []
        for row in rows.tolist():
            received = _instant(self._extra[row]["received_at"])
            scanned = int(columns.check_out[row] if columns.recorded[row] else columns.check_in[row])
            if received is not None:
                took.append(received - scanned)
        return sum(one > LATE_US for one in took), max(took, default=None)


def _facility(facility_id: str, letter: str, colour: str, said: Mapping[str, str]) -> Facility:
    latitude, longitude = _degrees(said.get("latitude", ""), 90), _degrees(said.get("longitude", ""), 180)
    known = latitude is not None and longitude is not None
    return Facility(
        facility_id=facility_id,
        letter=letter,
        colour=colour,
        name=said.get("facility_name", ""),
        district=said.get("district", ""),
        latitude=latitude if known else None,
        longitude=longitude if known else None,
    )


def _degrees(said: str, most: float) -> float | None:
    try:
        value = float(said)
    except ValueError:
        return None
    return value if -most <= value <= most else None


def _instant(said: str) -> int | None:
    try:
        return instant_us(said, field="received_at", line=0)
    except BadInput:
        return None
