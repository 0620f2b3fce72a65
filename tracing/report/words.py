"""What the report says, in Indonesian and in English, and how it writes numbers, days and times. Pure."""

from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

from tracing.instants import EPOCH, offset_us

Tongue = Literal["id", "en"]

_SHORT: Final = {
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
_LONG: Final = {
    "id": (
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}
CLOCKS: Final = {
    "Asia/Jakarta": "WIB",
    "Asia/Pontianak": "WIB",
    "Asia/Makassar": "WITA",
    "Asia/Ujung_Pandang": "WITA",
    "Asia/Jayapura": "WIT",
}
_ORDINALS: Final = {1: "st", 2: "nd", 3: "rd"}
MINUS: Final = "\N{MINUS SIGN}"


class Language:
    """One language: its phrases by name, and its way to write what is no word."""

    def __init__(self, tongue: Tongue, time_zone: str) -> None:
        self.tongue: Tongue = tongue
        self._time_zone = time_zone

    def __getitem__(self, phrase: str) -> str:
        return phrases()[phrase][self.tongue]

    def say(self, phrase: str, **values: str | int) -> str:
        """Return a phrase with its values in place."""
        written = {name: self.number(value) if isinstance(value, int) else value for name, value in values.items()}
        return self[phrase].format(**written)

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with this language's signs."""
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.tongue == "id" else text

    def day(self, day: date | None) -> str:
        """Return `2 Nov 2026`, or `2 November 2026`; a dash for a day that is not known."""
        if day is None:
            return "–"
        months = _SHORT["id"] if self.tongue == "id" else _LONG["en"]
        return f"{day.day} {months[day.month - 1]} {day.year}"

    def short_day(self, day: date) -> str:
        """Return `2 Nov`."""
        return f"{day.day} {_SHORT[self.tongue][day.month - 1]}"

    def clock(self, at_us: int) -> str:
        """Return the time of day; Indonesian writes a point."""
        return self._local(at_us).strftime("%H.%M" if self.tongue == "id" else "%H:%M")

    def instant(self, at_us: int) -> str:
        """Return day and time, without the zone, which a table says once."""
        at = self._local(at_us)
        return f"{self.short_day(at.date())} {self.clock(at_us)}"

    def full_instant(self, at_us: int) -> str:
        """Return day, year, time and zone."""
        at = self._local(at_us)
        return f"{self.day(at.date())}, {self.clock(at_us)} {self.zone(at_us)}"

    def zone(self, at_us: int) -> str:
        """Return WIB, WITA or WIT, and elsewhere the distance from UTC."""
        if self._time_zone in CLOCKS:
            return CLOCKS[self._time_zone]
        minutes = offset_us(at_us, self._time_zone) // 60_000_000
        sign = "+" if minutes >= 0 else MINUS
        return f"UTC{sign}{abs(minutes) // 60}" + (f":{abs(minutes) % 60:02}" if minutes % 60 else "")

    def length(self, time_us: int) -> str:
        """Return how long: minutes, or hours and minutes."""
        minutes = time_us // 60_000_000
        if minutes < 60:  # noqa: PLR2004 — an hour
            return f"{minutes} {self['minutes_short']}"
        return f"{self.number(minutes // 60)} {self['hours_short']} {minutes % 60:02} {self['minutes_short']}"

    def hours(self, time_us: int) -> str:
        """Return how long as a clock would: 2:05."""
        minutes = time_us // 60_000_000
        return f"{self.number(minutes // 60)}:{minutes % 60:02}"

    def ordinal(self, number: int) -> str:
        """Return a number as a place in a row."""
        if self.tongue == "id":
            return f"ke-{self.number(number)}"
        ending = "th" if number // 10 % 10 == 1 else _ORDINALS.get(number % 10, "th")
        return f"{self.number(number)}{ending}"

    def _local(self, at_us: int) -> datetime:
        return EPOCH.replace(tzinfo=None) + timedelta(microseconds=at_us + offset_us(at_us, self._time_zone))


def whole_day(day: date, tongue: Tongue) -> str:
    """Return `24 November 2026`."""
    return f"{day.day} {_LONG[tongue][day.month - 1]} {day.year}"


@cache
def phrases() -> dict[str, dict[Tongue, str]]:
    """Return every phrase by its name, in both languages."""
    written = files("tracing.report").joinpath("phrases.toml").read_bytes()
    return msgspec.toml.decode(written, type=dict[str, dict[Tongue, str]])


def signed(days: int) -> str:
    """Return a number of days with its sign, and 0 without one."""
    return f"{MINUS}{-days}" if days < 0 else f"+{days}" if days else "0"
