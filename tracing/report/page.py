"""report.html: one page that asks nothing of the network, needs no script and prints as it looks.

Every text from a file is escaped by the template; what a spreadsheet would take for a formula is made safe, as people
copy tables.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracing.cases.onset import days_on
from tracing.exports import safe_cell
from tracing.instants import utc_of
from tracing.look import SHEET
from tracing.ranking.words import words_of
from tracing.report import places
from tracing.report.chain import Chain
from tracing.report.facts import Case, Contact, Facility, Report, Source
from tracing.report.lanes import Timeline
from tracing.report.words import Language, Tongue, signed
from tracing.windows import Window

_SOURCES_SHOWN: Final = 25
_SIGNS: Final = {
    code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"
}  # HTML holds no control character


class Row(NamedTuple):
    """A candidate in the table."""

    rank: str
    person: str
    through: str
    own_case: str
    since: str
    length: str
    probability: str
    facility: Facility | None
    reason: str


class SourceRow(NamedTuple):
    """A possible source in the table; no person is somebody unknown."""

    rank: str
    person: str
    case: str
    plausible: bool
    length: str
    facility: Facility | None
    where: str


class Places(NamedTuple):
    """The map, and what could not be put on it."""

    districts: Sequence[places.District]
    national: Markup
    local: Markup
    at_capitals: str
    unplaced: str
    without: int


class View(NamedTuple):
    """A case as the template shows it."""

    case: Case
    panels: Sequence[Markup]
    lanes: int
    chain: Markup
    chain_left: int
    rows: Sequence[Row]
    probable: bool
    sources: Sequence[SourceRow]
    quality: Sequence[tuple[str, str, str]]
    hospital_place: str


def page_of(report: Report, tongue: Tongue) -> str:
    """Return the page."""
    header = report.header
    say = Language(tongue, header["time_zone"])
    views = [_view(case, report, say) for case in report.cases]
    page = (
        _templates()
        .get_template("report.html.j2")
        .render(
            report=report,
            say=say,
            sheet=Markup(SHEET),  # noqa: S704 — our own sheet
            tiles=_tiles(report, say),
            forward=header["direction"] != "backward",
            views=views,
            probable=any(view.probable for view in views),
            places=_places(report, say),
            numbers={case.case_id: number for number, case in enumerate(report.cases, start=1)},
            options=_options(report, say),
            files=_files(report, say),
            versions=" · ".join(f"{name} {version}" for name, version in header["versions"].items()),
            days=days_on(utc_of(report.asked_at).date()),
            zone=say.zone(report.asked_at),
            cell=safe_cell,
            mark=_mark,
            period=lambda window: _period(window, say),
        )
    )
    return page.translate(_SIGNS)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("tracing.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _tiles(report: Report, say: Language) -> list[tuple[str, str, str]]:
    rows = report.header["rows"]
    tiles = [(say.number(report.cases_found), say["cases"], "")]
    if report.header["direction"] != "backward":
        first, second = report.candidates
        more = f"{say.number(second)} {say['candidates_2']}" if report.header["degrees"] == 2 else ""  # noqa: PLR2004 — degrees
        tiles.append((say.number(first), say["candidates"], more))
        tiles.append((say.number(rows["exposures.csv"]), say["exposures"], ""))
    if report.header["direction"] != "forward":
        tiles.append((say.number(rows["sources.csv"]), say["sources_tile"], ""))
    shown = len(report.cases) < report.cases_found
    tiles.append((say.number(len(report.facilities)), say["places_tile"], say["of_shown"] if shown else ""))
    return tiles[:4]


def _view(case: Case, report: Report, say: Language) -> View:
    forward = report.header["direction"] != "backward"
    rows = [_row(contact, case, say) for contact in case.contacts]
    chain = Chain(case, say) if case.groups or case.sources else None
    facilities = {one.facility_id: one.title for one in report.facilities}
    where = facilities.get(case.hospital.facility_id, case.hospital.facility_id) if case.hospital else ""
    return View(
        case=case,
        panels=[_drawn(panel) for panel in Timeline(case, say, report.header["time_zone"]).panels()] if forward else [],
        lanes=sum(contact.degree == 1 for contact in case.contacts),
        chain=_drawn(chain.drawing()) if chain else Markup(),
        chain_left=chain.left_out if chain else 0,
        rows=rows,
        probable=any(row.probability for row in rows),
        sources=[_source(source, case, say) for source in case.sources[:_SOURCES_SHOWN]],
        quality=_quality(case, say),
        hospital_place=where,
    )


def _row(contact: Contact, case: Case, say: Language) -> Row:
    facility = next((one for one in case.facilities if one.facility_id == _facility_id(contact)), None)
    chance = contact.row.get("probability", "")
    return Row(
        rank=say.number(contact.rank),
        person=contact.person_id,
        through=contact.source if contact.degree > 1 else "",
        own_case=contact.own_case,
        since=signed(int(contact.row["days_from_onset"])),
        length=say.hours(_minutes_us(contact.row)),
        probability=f"{say.number(100 * float(chance), 1)} %" if chance else "",
        facility=facility,
        reason=reason_of(contact, case.day_word, facility, say),
    )


def reason_of(contact: Contact, day_word: str, facility: Facility | None, say: Language) -> str:
    """Return the reason as contacts.csv has it, in the language of the page; `facility` is where they were longest."""
    row = contact.row
    zone = row["zone"]
    place = facility.title if facility else row["facility_id"]
    longest = max(contact.overlaps, key=lambda one: (one.end - one.start, -one.start))
    told = say.say(
        "because",
        where=f"{place}, {zone}" if zone else place,
        length=say.length(contact.longest_us),
        day=say.instant(longest.start).rsplit(" ", 1)[0],
        since=signed(int(row["days_from_onset"])),
        zero=say[f"day_{day_word}"],
    )
    if int(row["overlaps"]) > 1:
        told += say.say("because_more", n=int(row["overlaps"]), length=say.length(_minutes_us(row)))
    told = "; ".join(
        [told, *(say[f"because_{note}"] for note in contact.notes), *words_of(contact.counted, say.tongue)]
    )
    return told + (say["because_estimated"] if row["estimated"] == "true" else "")


def _source(source: Source, case: Case, say: Language) -> SourceRow:
    written = source.row["facility_id"]
    facility = next((one for one in case.facilities if safe_cell(one.facility_id) == written), None)
    return SourceRow(
        rank=say.number(source.rank),
        person=source.person_id,
        case=f"{safe_cell(source.case_id)}, {say.day(source.onset)}" if source.case_id else "",
        plausible=source.plausible,
        length=say.hours(_minutes_us(source.row)) if source.person_id else "–",
        facility=facility,
        where=facility.title if facility else written,
    )


def _quality(case: Case, say: Language) -> list[tuple[str, str, str]]:
    quality = case.quality
    rows = [_counted(say["quality_open"], quality.open_visits, "", quality.visits, say)]
    late = say["quality_late"]
    if quality.latest_us is not None and quality.late:
        late += f" ({say.say('quality_latest', length=say.length(quality.latest_us))})"
    for what, number, column in (
        (say["quality_estimated"], quality.estimated, "check_out_estimated"),
        (say["quality_manual"], quality.manual, "channel"),
        (say["quality_unproven"], quality.unproven, "assurance"),
        (late, quality.late, "received_at"),
    ):
        rows.append(_counted(what, number, column, quality.visits, say))
    return rows


def _counted(what: str, number: int | None, column: str, whole: int, say: Language) -> tuple[str, str, str]:
    if number is None:
        return what, say.say("not_in_file", column=column), ""
    return what, say.number(number), f"{say.number(100 * number / whole)} %" if whole else "–"


def _places(report: Report, say: Language) -> Places:
    districts = places.districts_of(report.facilities, report.met)
    known = [one for one in districts if one.point is not None]
    return Places(
        districts=districts,
        national=_drawn(places.national(districts, say)) if districts else Markup(),
        local=_drawn(places.local(report.facilities, report.met, say)),
        at_capitals=", ".join(one.name for one in known if not one.exact),
        unplaced=", ".join(one.name for one in districts if one.point is None),
        without=len(report.facilities) - sum(len(one.facilities) for one in districts),
    )


def _options(report: Report, say: Language) -> list[tuple[str, str]]:
    header, rule = report.header, report.header["rule"]
    since = f" ({say.say('valid_from', day=say.day(rule.valid_from))})" if rule.valid_from else ""
    days = say.say("opt_days_value", before=rule.days_before, after=rule.days_after)
    return [
        (say["rule"], rule.id + since),
        (say["rule_source"], rule.source),
        (say["opt_minutes"], f"{say.number(rule.minutes)} {say['minutes_short']}"),
        (say["opt_count"], say[f"count_{rule.count}"]),
        (say["opt_tail"], f"{say.number(rule.tail_minutes)} {say['minutes_short']}"),
        (say["opt_days"], days + (say["ends_at_isolation"] if rule.ends_at_isolation else "")),
        (say["opt_degrees"], str(header["degrees"])),
        (say["opt_direction"], say[f"direction_{header['direction']}"]),
        (say["opt_zone"], header["time_zone"]),
    ]


def _files(report: Report, say: Language) -> list[tuple[str, str, str]]:
    header = report.header
    rows = [
        (say["inputs"] + f": {what}", say.number(of["rows"]), of["sha256"]) for what, of in header["inputs"].items()
    ]
    for name, of in header["files"].items():
        number = header["rows"].get(name)
        rows.append((name, "" if number is None else say.number(number), of["sha256"]))
    return rows


def _period(window: Window, say: Language) -> str:
    if window.start >= window.end:
        return say["window_empty"]
    return f"{say.full_instant(window.start)} – {say.full_instant(window.end)}"


def _mark(facility: Facility) -> Markup:
    """Return the facility's letter on its colour."""
    return Markup('<span class="mark" style="background:{}">{}</span>').format(facility.colour, facility.letter)


def _drawn(picture: str) -> Markup:
    return Markup(picture)  # noqa: S704 — svg.py escaped what came from outside


def _facility_id(contact: Contact) -> str:
    return max(contact.overlaps, key=lambda one: (one.end - one.start, -one.start)).facility_id


def _minutes_us(row: Mapping[str, str]) -> int:
    return int(float(row["overlap_minutes"]) * 60_000_000)
