"""The timeline of a case: his visits above, a lane for each candidate below, the infectious period shaded. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from tracing.instants import DAY_US
from tracing.report.facts import Case, Contact, Facility, Overlap, Stay
from tracing.report.svg import circle, line, picture, rect, text
from tracing.report.words import Language, signed
from tracing.windows import local_day, midnight

WIDTH: Final = 1000
LEFT: Final = 160
RIGHT: Final = 112
ROW: Final = 19
AXIS: Final = 40
PANEL_ROWS: Final = 38  # what fits on a printed page below its heading
DAYS_MAX: Final = 24  # of a window that is drawn whole
_ALL_TICKS_MAX: Final = 26
_BAR_MIN: Final = 2.5
_LETTER_MIN: Final = 12


class Days(NamedTuple):
    """What the axis shows."""

    first: date
    last: date
    start: int
    end: int

    def x(self, at: int) -> float:
        """Return where an instant is; what lies outside stands at the edge."""
        inside = min(max(at, self.start), self.end)
        return LEFT + (inside - self.start) / max(self.end - self.start, 1) * (WIDTH - LEFT - RIGHT)


class Timeline:
    """The picture of one case."""

    def __init__(self, case: Case, language: Language, time_zone: str) -> None:
        self._case, self._say, self._zone = case, language, time_zone
        self._facilities = {facility.facility_id: facility for facility in case.facilities}
        self._days = days_of(case, time_zone)

    def panels(self) -> list[str]:
        """Return the picture in pieces that fit on paper, each with the axis and the case's own lane."""
        contacts = [contact for contact in self._case.contacts if contact.degree == 1]
        pieces = max(math.ceil(len(contacts) / PANEL_ROWS), 1)
        size = max(math.ceil(len(contacts) / pieces), 1)
        return [self._panel(contacts[first : first + size]) for first in range(0, max(len(contacts), 1), size)]

    def _panel(self, contacts: Sequence[Contact]) -> str:
        height = AXIS + ROW * (len(contacts) + 1) + 18
        content = self._grid(height) + self._own_lane()
        for place, contact in enumerate(contacts):
            content += self._lane(contact, AXIS + ROW * (place + 1) + 10)
        case, say = self._case, self._say
        described = say.say("timeline_desc", case=case.case_id, n=len(contacts))
        return picture(WIDTH, height, say.say("timeline_title", case=case.case_id), described, content)

    def _grid(self, height: float) -> str:
        days, case, say = self._days, self._case, self._say
        low, high = days.x(case.window.start), days.x(case.window.end)
        parts = [rect(low, AXIS - 4, high - low, height - AXIS + 4, kind="infectious")] if high > low else []
        count = (days.last - days.first).days + 1
        step = max(math.ceil(count / _ALL_TICKS_MAX), 1)
        for number in range(count):
            day = days.first + timedelta(days=number)
            x = days.x(midnight(day, self._zone))
            since = (day - case.day_zero).days
            parts.append(line(x, AXIS - 4, x, height, "zero" if since == 0 else "grid"))
            if since % step == 0:
                middle = (x + days.x(midnight(day + timedelta(days=1), self._zone))) / 2
                kind = "tick zero" if since == 0 else "tick"
                parts.append(text(middle, 14, signed(since), anchor="middle", kind=kind))
                parts.append(text(middle, 28, say.short_day(day), anchor="middle", kind="soft"))
        parts += [line(0, AXIS - 4, WIDTH, AXIS - 4, "rule"), text(0, 14, say[f"axis_{case.day_word}"], kind="soft")]
        parts += [text(0, 28, say["axis_date"], kind="soft")]
        parts += [text(WIDTH, 28, say["axis_together"], anchor="end", kind="soft")]
        if case.date_isolation is not None and days.first <= case.date_isolation <= days.last:
            x = days.x(midnight(case.date_isolation, self._zone))
            parts += [line(x, AXIS - 4, x, height - 14, "isolation"), text(x + 3, height - 3, say["isolation_mark"])]
        return "".join(parts)

    def _own_lane(self) -> str:
        y = AXIS + 1
        parts = [
            rect(0, y - 1, WIDTH, ROW + 1, kind="own"),
            text(4, y + 13, self._case.person_id, kind="strong", most=19),
        ]
        parts += [self._bar(stay, y + 2, 13, self._facility(stay.facility_id)) for stay in self._case.stays]
        parts.append(text(WIDTH, y + 13, self._say["case_visits"], anchor="end", kind="soft"))
        return "".join(parts)

    def _lane(self, contact: Contact, y: float) -> str:
        say = self._say
        parts = [line(0, y - 2, WIDTH, y - 2, "lane")] if contact.rank > 1 else []
        parts.append(text(18, y + 11, say.number(contact.rank), anchor="end", kind="soft"))
        parts.append(text(26, y + 11, contact.person_id, kind="name", most=18))
        for stay in contact.stays:
            x, width = self._extent(stay.start, stay.end)
            parts.append(rect(x, y + 6, width, 3, kind="stay", title=self._told(stay)))
            if stay.estimated:
                parts.append(circle(x + width, y + 7.5, 2.6, fill="#fff", stroke="#7b858d"))
        for overlap in contact.overlaps:
            x, width = self._extent(overlap.start, overlap.end)
            facility = self._facility(overlap.facility_id)
            colour = facility.colour if facility else "#566069"
            parts.append(rect(x, y + 2, width, 11, fill=colour, title=self._told_overlap(overlap)))
        where = dict.fromkeys(overlap.facility_id for overlap in contact.overlaps)
        marks = [facility.letter for one in where if (facility := self._facility(one))]
        parts.append(text(WIDTH - RIGHT + 8, y + 11, " ".join(marks[:3]) + (" …" if len(marks) > 3 else "")))  # noqa: PLR2004 — no room
        minutes = float(contact.row["overlap_minutes"])
        return "".join(parts) + text(WIDTH, y + 11, say.hours(int(minutes * 60_000_000)), anchor="end")

    def _bar(self, stay: Stay, y: float, height: float, facility: Facility | None) -> str:
        x, width = self._extent(stay.start, stay.end)
        bar = rect(x, y, width, height, fill=facility.colour if facility else "#566069", title=self._told(stay))
        if stay.estimated:
            bar += circle(x + width, y + height / 2, 3.2, fill="#fff", stroke="#566069")
        if facility and width > _LETTER_MIN:
            bar += text(x + width / 2, y + height - 3, facility.letter, anchor="middle", kind="inside")
        return bar

    def _extent(self, start: int, end: int) -> tuple[float, float]:
        x = self._days.x(start)
        return x, max(self._days.x(end) - x, _BAR_MIN)

    def _facility(self, facility_id: str) -> Facility | None:
        return self._facilities.get(facility_id)

    def _told(self, stay: Stay) -> str:
        say = self._say
        facility = self._facility(stay.facility_id)
        where = ", ".join(filter(None, (facility.title if facility else stay.facility_id, stay.zone)))
        end = f" ({say['estimated_word']})" if stay.estimated else ""
        return f"{where}: {say.instant(stay.start)} – {say.instant(stay.end)}{end}"

    def _told_overlap(self, overlap: Overlap) -> str:
        say = self._say
        facility = self._facility(overlap.facility_id)
        where = facility.title if facility else overlap.facility_id
        return f"{where}: {say.length(overlap.end - overlap.start)}, {say.instant(overlap.start)}"


def days_of(case: Case, time_zone: str) -> Days:
    """Return the days on the axis: the whole infectious period, or of a very long one what is in it."""
    instants = [at for stay in case.stays for at in (stay.start, stay.end)]
    for contact in case.contacts:
        if contact.degree == 1:
            instants += [at for overlap in contact.overlaps for at in (overlap.start, overlap.end)]
    window = [
        local_day(case.window.start, time_zone),
        local_day(max(case.window.end - 1, case.window.start), time_zone),
    ]
    seen = [local_day(at, time_zone) for at in (min(instants), max(instants))] if instants else [case.day_zero]
    if (window[1] - window[0]).days > DAYS_MAX:
        window = []
    first, last = min([*window, *seen, case.day_zero]), max([*window, *seen, case.day_zero])
    if (last - first).days > 2 * DAYS_MAX and window:  # an inpatient's months before: the window is what counts
        first, last = max(first, window[0] - timedelta(days=2)), min(last, window[1] + timedelta(days=2))
    return Days(first, last, midnight(first, time_zone), midnight(last, time_zone) + DAY_US)


def letters(facilities: Sequence[str], colours: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Return a letter and a colour for each facility: A … Z, then A2 …; colours come again."""
    named = {}
    for number, facility in enumerate(facilities):
        more = str(number // 26 + 1) if number >= 26 else ""  # noqa: PLR2004 — letters there are
        named[facility] = (chr(ord("A") + number % 26) + more, colours[number % len(colours)])
    return named
