"""Towns for the trace of files: rows of V.csv and C.csv as texts, and a run that reads its results back."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.tracing.naive_trace import Asked, Contact, Likely, Row, Source
from tracing.filetrace.package import Question
from tracing.filetrace.run import trace_files
from tracing.rulesets import Rule

VISITS = ("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out")
CASES = ("case_id", "person_id", "date_onset", "date_specimen", "date_isolation")
PERSONS = ("7", "007", "NA", "null", "1e3", "x,\né")
# With the middle of what happens there: days of 23, 24, 25 hours, midnights that never were, and a day left out.
ZONES = {
    "Asia/Jakarta": datetime(2021, 7, 1, tzinfo=UTC),
    "Europe/London": datetime(2021, 10, 31, tzinfo=UTC),
    "America/Sao_Paulo": datetime(2018, 11, 4, tzinfo=UTC),
    "Africa/Cairo": datetime(2010, 4, 30, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2021, 4, 4, tzinfo=UTC),
    "Pacific/Apia": datetime(2011, 12, 30, tzinfo=UTC),
    "Asia/Kathmandu": datetime(1986, 1, 1, tzinfo=UTC),
}
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Town:
    """What a file of visits and a file of cases say."""

    zone: str
    visits: tuple[Row, ...]
    cases: tuple[Row, ...]


@st.composite
def towns(draw: st.DrawFn, visits_max: int = 24) -> Town:
    """Draw a town so small that many meet, whose visits lie about three weeks around something odd."""
    zone = draw(st.sampled_from(sorted(ZONES)))
    count = draw(st.integers(0, visits_max) | st.integers(12, visits_max))
    visits = [draw(_visits(f"v{number}", ZONES[zone])) for number in range(count)]
    cases = [draw(_cases(f"K{number}", ZONES[zone])) for number in range(draw(st.integers(1, 3)))]
    return Town(zone, tuple(visits), tuple(cases))


@st.composite
def _visits(draw: st.DrawFn, visit_id: str, middle: datetime) -> Row:
    # Most visits begin within a few days, so that more than two persons meet.
    minute = draw(st.integers(-600, 600) | st.integers(-3000, 3000) | st.integers(-26_000, 26_000))
    odd = draw(st.sampled_from([0, 0, 0, 1, 29_999_999, 30_000_000]))
    start = middle + minute // 5 * 5 * MINUTE + timedelta(microseconds=odd)
    length = draw(st.sampled_from([0, 9, 14, 15, 30, 120, 300, 600]) | st.integers(0, 4_000))
    is_open = draw(st.integers(0, 4)) == 0
    return {
        "visit_id": visit_id,
        "person_id": draw(st.sampled_from(PERSONS)),
        "facility_id": draw(st.sampled_from(["F", "G"])),
        "zone": draw(st.sampled_from(["", "ward"])),
        "check_in": _text(start, draw(OFFSETS)),
        "check_out": "" if is_open else _text(start + length * MINUTE, draw(OFFSETS)),
    }


@st.composite
def _cases(draw: st.DrawFn, case_id: str, middle: datetime) -> Row:
    day, specimen, isolation = (
        (middle + timedelta(days=draw(st.integers(0, 2) | st.integers(-3, 12)))).date().isoformat() for _ in range(3)
    )
    known = draw(st.sampled_from(["onset", "specimen", "both"]))
    return {
        "case_id": case_id,
        "person_id": draw(st.sampled_from(PERSONS)),
        "date_onset": "" if known == "specimen" else day,
        "date_specimen": "" if known == "onset" else specimen,
        "date_isolation": draw(st.sampled_from(["", isolation])),
    }


OFFSETS = st.sampled_from([0, 420, -210, 345])


def _text(at: datetime, offset: int) -> str:
    return at.astimezone(timezone(timedelta(minutes=offset))).isoformat()


def asked_of(rule: Rule, zone: str, degrees: int) -> Asked:
    """Return the rule's values as the oracle wants them."""
    return Asked(
        minutes=rule.minutes,
        count=rule.count,
        tail=rule.tail_minutes,
        before=rule.days_before,
        after=rule.days_after,
        isolation_ends=rule.ends_at_isolation,
        cwa=rule.interval == "cwa",
        degrees=degrees,
        latent_hours=rule.latent_hours,
        contact_days=rule.contact_days,
        zone=zone,
    )


def write_rows(path: Path, header: tuple[str, ...], rows: tuple[Row, ...] | list[Row], **how: Any) -> Path:
    """Write a file of rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, **how)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a result."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(folder: Path, town: Town, rule: Rule, **how: Any) -> Path:
    """Trace a town; return the folder of the results."""
    visits = write_rows(folder / "V.csv", VISITS, town.visits)
    cases = write_rows(folder / "C.csv", CASES, town.cases)
    question = Question(rule=rule, time_zone=town.zone, asked_at=datetime(2021, 7, 9, tzinfo=UTC), **how)
    trace_files(visits, cases, folder / "out", question)
    return folder / "out"


def contacts_in(out: Path) -> list[Contact]:
    """Return contacts.csv as the oracle writes it."""
    return [
        Contact(
            row["case_id"],
            int(row["degree"]),
            int(row["rank"]),
            row["from"],
            row["to"],
            row["facility_id"],
            row["zone"],
            _utc(row["first_overlap_start"]),
            _utc(row["last_overlap_end"]),
            row["overlap_minutes"],
            int(row["overlaps"]),
            int(row["days_from_onset"]),
            {"true": True, "false": False}[row["estimated"]],
        )
        for row in read_table(out / "contacts.csv")
    ]


def likely_in(out: Path, name: str = "contacts.csv") -> Likely:
    """Return the probabilities of a result, for the oracle to put its rows in order."""
    return {
        (row["case_id"], row["from"], row["to"]): Fraction(row["probability"])
        for row in read_table(out / name)
        if row["probability"]
    }


def exposures_in(out: Path, name: str = "exposures.csv") -> list[tuple[str, ...]]:
    """Return exposures.csv as the oracle writes it."""
    return [
        (
            row["case_id"],
            row["from_visit_id"],
            row["to_visit_id"],
            row["from"],
            row["to"],
            row["degree"],
            _utc(row["start"]).isoformat(),
            _utc(row["end"]).isoformat(),
        )
        for row in read_table(out / name)
    ]


def sources_in(out: Path) -> list[Source]:
    """Return sources.csv as the oracle writes it."""
    return [
        Source(
            row["case_id"],
            int(row["rank"]),
            row["from"],
            row["to"],
            {"true": True, "false": False}[row["plausible"]],
        )
        for row in read_table(out / "sources.csv")
    ]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
