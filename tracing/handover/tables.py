"""The rows of the package's tables, from a dossier. Pure; every cell that came from outside is made safe.

Visits have numbers of this package only: a scan's own id is known to the phone that sent it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from tracing.cases.candidates import Exposure
from tracing.cases.likeness import StayKey, keys_of
from tracing.exports import safe_cell
from tracing.filetrace import columns
from tracing.filetrace.columns import CANDIDATE, CONTACT_COLUMNS, EXPOSURE_COLUMNS, SOURCE_COLUMNS
from tracing.handover.dossier import Dossier, Line, SourceLine
from tracing.instants import text_of
from tracing.pair import person_minutes
from tracing.windows import contact_window, midnight

Row = tuple[str, ...]
MORE_CONTACT_COLUMNS: Final = ("role", "kind", "decision", "already_case", "unproven", "apart", "ppe_unknown")
MORE_EXPOSURE_COLUMNS: Final = ("facility_id", "zone", "kind", "estimated")
ALL_CONTACT_COLUMNS: Final = (*CONTACT_COLUMNS, *MORE_CONTACT_COLUMNS)
ALL_EXPOSURE_COLUMNS: Final = (*EXPOSURE_COLUMNS, *MORE_EXPOSURE_COLUMNS)
LINE_COLUMNS: Final = (*columns.LINE_COLUMNS, "decision")
UNKNOWN: Final = "unknown"

__all__ = ["SOURCE_COLUMNS", "Tables"]


class Tables:
    """The tables of one dossier."""

    def __init__(self, dossier: Dossier) -> None:
        self._dossier = dossier
        self._zone = dossier.time_zone
        met = [one for line in dossier.lines for one in line.candidate.exposures]
        met += [one for line in dossier.sources for one in line.exposures]
        times: dict[StayKey, int] = {}
        for one in met:
            for key in keys_of(one):
                times[key] = min(times.get(key, one.start), one.start)
        order = sorted(times, key=lambda key: (times[key], key))
        self._visits = {key: f"v{number}" for number, key in enumerate(order, start=1)}
        self._risks = dict(zip(map(_key, dossier.lines), self._risks_of(dossier.lines), strict=True))

    def contacts(self) -> Iterator[Row]:
        """Yield the rows of contacts.csv, by degree and rank."""
        for line in self._dossier.lines:
            yield tuple(self.contact(line).values())

    def contact(self, line: Line) -> dict[str, str]:
        """Return a row of contacts.csv by the names of its columns."""
        view = line.view
        values: dict[str, Any] = {
            "from": view.from_ref,
            "to": view.contact_ref,
            "case_id": self._dossier.view.case_id,
            "degree": view.degree,
            **self._meetings(line.candidate.exposures, view.facility_id, view.zone),
            "days_from_onset": view.days_from_onset,
            "probability": "" if view.probability is None else f"{view.probability:.6f}",
            "rank": view.rank,
            "estimated": _truth(view.estimated),
            "rule": self._dossier.view.rule,
            "reason": view.reason,
            "infection_risk": self._risks[_key(line)],
            "role": view.role,
            "kind": view.kind,
            "decision": view.decision,
            **{name: _truth(getattr(view, name)) for name in ("already_case", "unproven", "apart", "ppe_unknown")},
        }
        return {name: safe_cell(str(values[name])) for name in ALL_CONTACT_COLUMNS}

    def sources(self) -> Iterator[Row]:
        """Yield the rows of sources.csv, by rank."""
        for line in self._dossier.sources:
            yield tuple(self.source(line).values())

    def source(self, line: SourceLine) -> dict[str, str]:
        """Return a row of sources.csv by the names of its columns; which case a source is himself is not said."""
        view = line.view
        values: dict[str, Any] = {
            "case_id": self._dossier.view.case_id,
            "from": view.source_ref,
            "to": self._dossier.view.case_ref,
            "plausible": _truth(view.plausible),
            "rank": view.rank,
            "source_case_id": "",
            **self._meetings(line.exposures, view.facility_id, view.zone),
            "days_from_onset": "" if view.days_from_onset is None else view.days_from_onset,
            "probability": "" if view.probability is None else f"{view.probability:.6f}",
            "estimated": _truth(view.estimated),
            "rule": self._dossier.view.rule,
            "reason": view.reason,
        }
        return {name: safe_cell(str(values[name])) for name in SOURCE_COLUMNS}

    def exposures(self) -> Iterator[Row]:
        """Yield the rows of exposures.csv, in the order of contacts.csv and then of time."""
        for line in self._dossier.lines:
            for one in line.candidate.exposures:
                yield self._exposure(one, line.view.from_ref, line.view.contact_ref, str(one.degree))

    def source_exposures(self) -> Iterator[Row]:
        """Yield the rows of source_exposures.csv."""
        for line in self._dossier.sources:
            for one in line.exposures:
                yield self._exposure(one, line.view.source_ref, self._dossier.view.case_ref, "1")

    def line_list(self) -> Iterator[Row]:
        """Yield the case, and every candidate once at his smallest degree."""
        dossier, view = self._dossier, self._dossier.view
        days = dossier.date_onset, dossier.date_specimen
        window = [text_of(at, self._zone) for at in dossier.window] if view.window else ["", ""]
        facts = view.classification, *map(_text, days), *window, "0", _text(view.date_isolation), ""
        yield tuple(map(safe_cell, (view.case_ref, view.case_id, *facts)))
        seen = {view.case_ref}
        for line in dossier.lines:
            if line.view.contact_ref not in seen:
                seen.add(line.view.contact_ref)
                yield self._candidate(line)

    def persons(self) -> dict[str, int]:
        """Return every person's name with his smallest degree."""
        found = {self._dossier.view.case_ref: 0}
        for line in self._dossier.lines:
            found.setdefault(line.view.contact_ref, line.view.degree)
        return found

    def _candidate(self, line: Line) -> Row:
        window = ["", ""]
        if line.view.degree == 1:
            met = line.candidate.exposures
            zone = line.candidate.longest.place.time_zone
            span = contact_window(self._dossier.rule, min(one.start for one in met), line.candidate.last_end, zone)
            window = [text_of(at, self._zone) for at in span]
        facts = CANDIDATE, "", "", *window, str(line.view.degree), "", line.view.decision
        return tuple(map(safe_cell, (line.view.contact_ref, self._dossier.view.case_id, *facts)))

    def _meetings(self, met: tuple[Exposure, ...], facility_id: str, zone: str) -> Mapping[str, str]:
        return {
            "facility_id": facility_id,
            "zone": zone,
            "first_overlap_start": text_of(min(one.start for one in met), self._zone) if met else "",
            "last_overlap_end": text_of(max(one.end for one in met), self._zone) if met else "",
            "overlap_minutes": person_minutes(sum(one.end - one.start for one in met)),
            "overlaps": str(len(met)),
        }

    def _exposure(self, one: Exposure, source: str, target: str, degree: str) -> Row:
        visits = [self._visits[key] for key in keys_of(one)]
        times = text_of(one.start, self._zone), text_of(one.end, self._zone)
        place = one.place.facility_id, one.zone, one.kind, _truth(bool(one.estimated_ends))
        return tuple(map(safe_cell, (self._dossier.view.case_id, *visits, source, target, degree, *times, *place)))

    def _risks_of(self, lines: tuple[Line, ...]) -> list[str]:
        """Return the infection risk of those of first degree; whether somebody else infects at all is not known."""
        from tracing.ranking.infection import risks_of  # scipy loads when the first list is made, not with every gate

        day, first = self._dossier.view.day0, [line for line in lines if line.view.degree == 1]
        if day is None or not first:
            return [""] * len(lines)
        met = [line.candidate.exposures for line in first]
        zero = [midnight(day, one.place.time_zone) for some in met for one in some]
        starts = np.array([one.start for some in met for one in some], dtype=np.int64) - zero
        ends = np.array([one.end for some in met for one in some], dtype=np.int64) - zero
        begins = np.cumsum([0, *(len(some) for some in met[:-1])], dtype=np.int64)
        risks = iter(risks_of((starts, ends), begins).tolist())
        return [f"{next(risks):.6f}" if line.view.degree == 1 else "" for line in lines]


def _key(line: Line) -> tuple[int, str, str]:
    return line.candidate.key


def _truth(value: bool) -> str:  # noqa: FBT001 — the value itself
    return "true" if value else "false"


def _text(value: object) -> str:
    return "" if value is None else str(value)
