"""report.html of a trace: asks nothing of the network, escapes what it is told, and says what the tables say."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.tracing.naive_trace import Row
from tests.tracing.test_trace_files_output import case, town, visit
from tests.tracing.trace_cases import CASES, Town, read_table, write_rows
from tests.tracing.trace_cases import run as run_town
from tracing.filetrace.package import Question
from tracing.filetrace.run import trace_files
from tracing.report.facts import CONTACTS_MAX
from tracing.report.words import Language, phrases
from tracing.rulesets import rule_of

ODD = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|x",
    "محمد",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "👩‍⚕️",
    "x" * 128,
    "\x01ctl",
]
VOID = {"meta", "col", "br"}


class Page(HTMLParser):
    """Checks that elements nest, and collects what may load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_in(out: Path) -> Page:
    """Return the report, read."""
    page = Page()
    page.feed((out / "report.html").read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def crowd(ids: list[str], *, zone: str = "", facility: str = "F") -> Town:
    """Return a day on which the case `7` meets all of them."""
    visits = [
        visit(f"v{number}", person, "03 08:00", f"03 {10 + number % 8}:00", facility, zone)
        for number, person in enumerate(["7", *ids])
    ]
    return town(visits, case("K", "7", onset="04"))


def run_rows(folder: Path, visits: list[Row], cases: list[Row]) -> Path:
    """Trace visits with extra columns."""
    question = Question(rule=rule_of(), asked_at=datetime(2021, 12, 1, tzinfo=UTC), language="en")
    visits_path = write_rows(folder / "V.csv", tuple(visits[0]), visits)
    trace_files(visits_path, write_rows(folder / "C.csv", CASES, cases), folder / "out", question)
    return folder / "out"


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("people", [0, 1, 60, 300])
def test_a_report_loads_nothing_runs_nothing_and_nests(tmp_path: Path, people: int, language: str) -> None:
    some = crowd([f"person {number}" for number in range(people)])
    out = run_town(tmp_path, some, rule_of(), language=language)
    page = page_in(out)
    assert not page.names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert all(address.startswith("#") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://", (out / "report.html").read_text(encoding="utf-8"))
    assert {"title", "desc", "caption", "h1", "h2", "h3"} <= page.names
    assert len(set(re.findall(r"person \d+", page.text))) == min(people, CONTACTS_MAX)


def test_what_a_file_says_is_text_and_no_formula(tmp_path: Path) -> None:
    out = run_town(tmp_path, crowd(ODD, zone="<b>ward</b>", facility="<i>F</i>"), rule_of(), asked_by="<u>me</u>")
    page = page_in(out)
    assert page.handlers == []
    assert not page.names & {"script", "img", "u"}
    assert "<script>alert(1)</script>" in page.text
    assert "<b>ward</b>" in page.text
    assert not re.search(r"<(td|th)[^>]*>(<bdi>)?\s*=", (out / "report.html").read_text(encoding="utf-8"))
    assert "\x01" not in page.text


def test_the_header_names_the_rule_who_asked_and_the_hash_of_every_other_file(tmp_path: Path) -> None:
    out = run_town(tmp_path, crowd(["a"]), rule_of(), asked_by="dr. Sari", reason="PE", language="en")
    page = page_in(out)
    header = json.loads((out / "trace.json").read_text(encoding="utf-8"))
    for said in ("kmk-4641-2021", "dr. Sari", "PE", rule_of().source, header["inputs"]["visits"]["sha256"]):
        assert said in page.text
    for name, of in header["files"].items():
        assert name == "report.html" or of["sha256"] in page.text
    assert set(header["files"]) == {file.name for file in out.iterdir()} - {"trace.json"}


def test_every_phrase_is_there_in_both_languages_with_the_same_places_to_fill() -> None:
    for name, both in phrases().items():
        assert set(both) == {"id", "en"}, name
        places = [sorted(re.findall(r"\{(\w+)\}", text)) for text in both.values()]
        assert places[0] == places[1], name


def test_numbers_days_and_times_are_written_as_the_language_does() -> None:
    at = 1_793_596_800_000_000  # 2026-11-02 05:20 UTC
    indonesian, english = (Language(tongue, "Asia/Jakarta") for tongue in ("id", "en"))
    assert (indonesian.full_instant(at), english.full_instant(at)) == (
        "2 Nov 2026, 12.20 WIB",
        "2 November 2026, 12:20 WIB",
    )
    assert (indonesian.number(1234.5, 1), english.number(1234.5, 1)) == ("1.234,5", "1,234.5")
    assert Language("en", "Asia/Jayapura").zone(at) == "WIT"
    assert Language("en", "Asia/Kathmandu").zone(at) == "UTC+5:45"
    assert [english.ordinal(number) for number in (1, 2, 3, 11, 22)] == ["1st", "2nd", "3rd", "11th", "22nd"]


def extra(row: Row, **values: str) -> Row:
    """Return a visit with what a file may say besides."""
    said = {"role": "", "channel": "app", "assurance": "otp", "received_at": row["check_in"], "check_out_estimated": ""}
    places = {"facility_name": "RSUD Tangerang", "district": "3671", "latitude": "-6.19", "longitude": "106.63"}
    return row | said | places | values


def test_extra_columns_make_the_map_the_quality_and_the_day_of_stay(tmp_path: Path) -> None:
    visits = [
        extra(visit("s", "7", "01 08:00", "20 08:00"), role="inpatient"),
        extra(visit("a", "a", "07 08:00", "07 09:00"), channel="officer", assurance="self"),
        extra(visit("b", "b", "07 08:00", "07 09:00"), received_at="2021-11-10T09:00:00+07:00"),
        extra(visit("c", "c", "07 08:00", "07 09:00"), check_out_estimated="true"),
    ]
    out = run_rows(tmp_path, visits, [case("K", "7", onset="08")])
    text = re.sub(r"\s+", " ", page_in(out).text)
    assert "Kota Tangerang" in text
    assert "RSUD Tangerang" in text
    assert "probable hospital onset 8th day of stay at onset" in text
    for said in ("by hand125 %", "by the person)125 %", "(the latest 72 h 00 min)125 %", "not scanned125 %"):
        assert said in text
    (told,) = json.loads((out / "trace.json").read_text(encoding="utf-8"))["cases"]
    assert (told["day_of_stay"], told["origin"], told["admitted"]) == (8, "probable", "2021-11-01")


def test_what_the_file_does_not_say_is_said_to_be_missing(tmp_path: Path) -> None:
    out = run_town(tmp_path, crowd(["a"]), rule_of(), language="en")
    text = page_in(out).text
    for column in ("channel", "assurance", "received_at", "check_out_estimated", "role"):
        assert f"(column {column})" in text
    assert "No map can be drawn" in text
    assert "day_of_stay" not in (out / "trace.json").read_text(encoding="utf-8")


def test_of_many_cases_those_with_most_candidates_are_told_and_all_are_in_the_index(tmp_path: Path) -> None:
    visits, cases = [], []
    for number in range(40):
        place = f"F{number}"
        visits.append(visit(f"i{number}", f"case {number:02}", "03 08:00", "03 10:00", place))
        visits += [
            visit(f"c{number}-{one}", f"p{number}-{one}", "03 08:00", "03 10:00", place) for one in range(number % 7)
        ]
        cases.append(case(f"K{number:02}", f"case {number:02}", onset="04"))
    out = run_town(tmp_path, town(visits, *cases), rule_of(), report_cases=3, language="en")
    page = page_in(out)
    assert [address for address in page.addresses if address.startswith("#case")] == ["#case-1", "#case-2", "#case-3"]
    assert page.text.count("How this report was made") == 1
    assert re.findall(r"Case (K\d\d)", page.text) == ["K06", "K13", "K20"]
    assert all(f"K{number:02}" in page.text for number in range(40))
    assert len(read_table(out / "contacts.csv")) == sum(number % 7 for number in range(40))


def test_a_candidate_who_is_a_case_and_a_source_stand_in_the_chain(tmp_path: Path) -> None:
    visits = [
        visit("a", "source", "01 08:00", "01 10:00"),
        visit("b", "7", "01 08:00", "01 10:00"),
        visit("c", "7", "03 08:00", "03 10:00"),
        visit("d", "next", "03 08:00", "03 10:00"),
    ]
    cases = [case("K1", "source", onset="01"), case("K2", "7", onset="04"), case("K3", "next", onset="08")]
    out = run_town(tmp_path, town(visits, *cases), rule_of(), direction="both", language="en")
    text = page_in(out).text
    assert "possible source, case K1" in text
    assert "case K3, onset 8 November 2021" in text
    assert "also case K3" in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "; same zone; arrived and left within minutes of each other; together for most of both stays"),
        ("id", "; zona sama; datang dan pergi berselang beberapa menit; bersama selama sebagian besar waktu keduanya"),
    ],
)
def test_the_reason_says_what_counted_in_the_language_of_the_page(tmp_path: Path, language: str, words: str) -> None:
    visits = [
        visit("1", "7", "03 08:00", "03 10:00", zone="ward"),
        visit("2", "companion", "03 08:05", "03 10:02", zone="ward"),
    ]
    out = run_town(tmp_path, town(visits, case("K", "7", onset="04")), rule_of(), language=language)
    assert words in page_in(out).text


@pytest.mark.parametrize(
    ("check_in", "check_out", "told"),
    [
        ("08 08:00", "20 08:00", (1, "community")),
        ("06 08:00", "08 01:00", (3, "indeterminate")),
        ("01 08:00", "", (8, "probable")),
        ("09 08:00", "20 08:00", (0, "community")),
        ("01 08:00", "07 08:00", None),
    ],
)
def test_the_day_of_stay_counts_from_admission(
    tmp_path: Path, check_in: str, check_out: str, told: tuple[int, str] | None
) -> None:
    visits = [extra(visit("s", "7", check_in, check_out), role="inpatient", received_at="")]
    out = run_rows(tmp_path, visits, [case("K", "7", onset="08")])
    (known,) = json.loads((out / "trace.json").read_text(encoding="utf-8"))["cases"]
    assert (known.get("day_of_stay"), known.get("origin")) == (told or (None, None))
