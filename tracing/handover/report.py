"""What report.html and the pictures say of a stored trace, as the plain values that they are drawn from. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from tracing.cases.places import Stay as Visit
from tracing.handover.dossier import LATE_US, Dossier, Line
from tracing.handover.tables import Tables
from tracing.look import COLOURS
from tracing.ranking.words import Counted
from tracing.report.facts import (
    CONTACTS_MAX,
    EXPOSURES_MAX,
    SECOND_MAX,
    SOURCES_MAX,
    Case,
    Contact,
    Facility,
    Group,
    IndexRow,
    Overlap,
    Quality,
    Report,
    Source,
    Stay,
)
from tracing.report.lanes import letters
from tracing.windows import local_day

# Of whom the visits are not kept nothing counted, neither for nor against.
NOTHING: Final = Counted(share=0.5, days=1, came_together=0, left_together=0, crowd=22, same_zone=0, other_zone=0)


def report_of(dossier: Dossier, tables: Tables, header: Mapping[str, Any], asked_at: int) -> Report:
    """Return what the report says; of a case that has a day zero."""
    case = case_of(dossier, tables)
    seen = [at for stay in (*dossier.own, *dossier.stays.values()) for at in _recorded(stay)]
    row = IndexRow(case.case_id, case.person_id, case.day_zero, case.day_word, case.window, case.candidates, shown=True)
    return Report(
        header=header,
        latest=max(seen, default=None),
        asked_at=asked_at,
        index=(row,),
        cases_found=1,
        candidates=case.candidates,
        cases=(case,),
        facilities=tuple(one for one in case.facilities if case.met.get(one.facility_id)),
        met=case.met,
    )


def case_of(dossier: Dossier, tables: Tables) -> Case:
    """Return a case as it is drawn."""
    view = dossier.view
    assert view.day0 is not None, "a case without day zero has no trace to draw"
    lines = dossier.lines
    met = Counter(line.view.facility_id for line in lines if line.view.degree == 1)
    shown = [line for line in lines if line.view.degree == 1][:CONTACTS_MAX]
    shown += [line for line in lines if line.view.degree > 1][:SECOND_MAX]
    stays = tuple(map(_stay, dossier.own))
    return Case(
        case_id=view.case_id,
        person_id=view.case_ref or view.case_id,
        day_zero=view.day0,
        day_word=view.day0_is,
        date_onset=dossier.date_onset,
        date_specimen=dossier.date_specimen,
        date_isolation=view.date_isolation,
        window=dossier.window,
        candidates=(sum(line.view.degree == 1 for line in lines), sum(line.view.degree > 1 for line in lines)),
        contacts=tuple(contact_of(dossier, tables, line) for line in shown),
        stays=stays,
        groups=_groups(lines),
        sources=tuple(_source(tables, dossier, number) for number in range(min(len(dossier.sources), SOURCES_MAX))),
        sources_found=len(dossier.sources),
        met=met,
        facilities=facilities_of(dossier),
        quality=_quality(dossier),
        hospital=view.stay_at_onset,
        roles_known=True,
    )


def contact_of(dossier: Dossier, tables: Tables, line: Line) -> Contact:
    """Return a candidate as he is drawn, with what his reason is made of."""
    view, met = line.view, line.candidate.exposures
    keys = dict.fromkeys((one.to_person, one.to_visit) for one in met)
    longest = line.candidate.longest
    drawn = sorted(met, key=lambda one: one.start - one.end)[:EXPOSURES_MAX]
    notes = {"case": view.already_case, "vehicle": view.kind == "vehicle", "apart": view.apart}
    notes |= {"ppe": view.ppe_unknown, "unproven": view.unproven}
    return Contact(
        person_id=view.contact_ref,
        source=view.from_ref,
        degree=view.degree,
        rank=view.rank,
        row=tables.contact(line),
        stays=tuple(_stay(dossier.stays[key]) for key in keys if key in dossier.stays),
        overlaps=tuple(Overlap(one.place.facility_id, one.start, one.end) for one in met if one in drawn),
        longest_us=longest.end - longest.start,
        counted=line.known.likely.counted if line.known.likely else NOTHING,
        notes=tuple(name for name, holds in notes.items() if holds),
    )


def _source(tables: Tables, dossier: Dossier, number: int) -> Source:
    view = dossier.sources[number].view
    person = "" if view.source_ref == "unknown" else view.source_ref
    return Source(person, view.rank, view.plausible, "", None, tables.source(dossier.sources[number]))


def _groups(lines: tuple[Line, ...]) -> tuple[Group, ...]:
    """Return the nodes of the chain: who first met the same way, in the same place, on the same day."""
    found: dict[tuple[int, date, str, int], list[int]] = {}
    group_of: dict[str, int] = {}
    for line in lines:
        first = min(line.candidate.exposures, key=lambda one: one.start)
        parent = -1 if line.view.degree == 1 else group_of.get(line.view.from_ref, -1)
        key = line.view.degree, local_day(first.start, first.place.time_zone), line.view.facility_id, parent
        number, people = found.setdefault(key, [len(found), 0])
        found[key] = [number, people + 1]
        if line.view.degree == 1:
            group_of[line.view.contact_ref] = number
    return tuple(Group(*key[:3], people, key[3]) for key, (_, people) in found.items())


def facilities_of(dossier: Dossier) -> tuple[Facility, ...]:
    """Return the places of the trace with their letters, those first where most candidates were met."""
    met = Counter(line.view.facility_id for line in dossier.lines if line.view.degree == 1)
    known = {one.place.facility_id: one.place for line in dossier.lines for one in line.candidate.exposures}
    known |= {stay.place.facility_id: stay.place for stay in dossier.own}
    order = sorted(known, key=lambda facility: (-met[facility], facility))
    marks = letters(order, COLOURS)
    return tuple(
        Facility(
            facility_id=one,
            letter=marks[one][0],
            colour=marks[one][1],
            name=known[one].name,
            district=known[one].district,
            latitude=dossier.points[one][0] if one in dossier.points else None,
            longitude=dossier.points[one][1] if one in dossier.points else None,
        )
        for one in order
    )


def _quality(dossier: Dossier) -> Quality:
    origins = list(dossier.origins.values())
    late = [one.late_us for one in origins if one.late_us > LATE_US]
    return Quality(
        visits=len(dossier.stays),
        open_visits=0,  # the fold gives every visit an end, and says which it estimated
        estimated=sum(stay.check_out_estimated for stay in dossier.stays.values()),
        manual=sum(one.manual for one in origins),
        unproven=sum(one.unproven for one in origins),
        late=len(late),
        latest_us=max(late, default=None),
    )


def _stay(visit: Visit) -> Stay:
    zone = visit.zones[0][1] if visit.zones else ""
    return Stay(visit.place.facility_id, zone, visit.check_in, visit.check_out, visit.check_out_estimated)


def _recorded(visit: Visit) -> list[int]:
    return [visit.check_in] if visit.check_out_estimated else [visit.check_in, visit.check_out]
