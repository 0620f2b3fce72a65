"""A trace as its pages show it: the list with reasons in the reader's language; the reading is in the audit."""

from typing import NamedTuple

from portal.keys import Principal
from portal.store import Connection, append_audit
from portal.traces import visible_case
from portal.web.words import Language
from tracing.cases.store import ContactView, SourceView, TraceView
from tracing.handover.dossier import Dossier, Line, read_dossier
from tracing.handover.report import contact_of, facilities_of
from tracing.handover.tables import Tables
from tracing.instants import text_of
from tracing.report.page import reason_of
from tracing.report.words import Language as Told


class Meeting(NamedTuple):
    """One exposure of a candidate."""

    facility: str
    zone: str
    start: str
    end: str
    minutes: int
    estimated: bool
    vehicle: bool


class Row(NamedTuple):
    """A candidate, why in the reader's language, and every meeting."""

    view: ContactView
    reason: str
    meetings: list[Meeting]
    risk: str


class Shown(NamedTuple):
    """What a page shows of a case."""

    view: TraceView
    rows: list[Row]
    sources: tuple[SourceView, ...]


def read_dossier_audited(conn: Connection, principal: Principal, case_id: str, why: str) -> Dossier:
    """Return all of a case that the principal may see; one transaction: what the audit does not hold is not read.

    Raises:
        NotFound: it is another's, or there is none.
    """
    case = visible_case(conn, principal, case_id)
    dossier = read_dossier(conn, case.case_id)
    append_audit(conn, principal.name, "trace shown", case.case_id, why)
    return dossier


def read_shown(conn: Connection, principal: Principal, case_id: str, language: Language) -> Shown:
    """Return a case with its list, the reasons in a language.

    Raises:
        NotFound: it is another's, or there is none.
    """
    dossier = read_dossier_audited(conn, principal, case_id, "on the page")
    tables = Tables(dossier)
    facilities = {one.facility_id: one for one in facilities_of(dossier)}
    say = Told(language, dossier.time_zone)
    rows = []
    for line in dossier.lines:
        contact = contact_of(dossier, tables, line)
        told = reason_of(contact, dossier.view.day0_is, facilities.get(line.view.facility_id), say)
        rows.append(Row(line.view, told, _meetings(line), contact.row["infection_risk"]))
    return Shown(dossier.view, rows, dossier.view.sources)


def _meetings(line: Line) -> list[Meeting]:
    return [
        Meeting(
            one.place.name,
            one.zone,
            text_of(one.start, one.place.time_zone)[:16].replace("T", " "),
            text_of(one.end, one.place.time_zone)[:16].replace("T", " "),
            (one.end - one.start) // 60_000_000,
            bool(one.estimated_ends),
            one.kind == "vehicle",
        )
        for one in line.candidate.exposures
    ]
