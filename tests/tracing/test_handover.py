"""What a stored trace hands over: the files say what the list says, whatever is special about a case."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import Conflict
from schemas.settings import Settings
from tests.tracing.ward import ONSET, Town, positive, request, somebody
from tracing.cases.rows import person_uuid
from tracing.handover.dossier import Dossier, read_dossier
from tracing.handover.package import Asked, files_of, zip_of
from tracing.handover.report import case_of
from tracing.handover.tables import Tables
from tracing.store import connect
from tracing.visits import Visit

CASE = somebody(1)
AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
ASKED = Asked("dr-sari", "interview", AT, "en")


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    made = Town(fresh_database())
    yield made
    made.close()


def dossier_of(town: Town) -> Dossier:
    case_id = str(town.case(CASE)[0])
    with closing(connect(town.settings, "jejak_gate")) as conn, conn:
        return read_dossier(conn, case_id)


def rows_in(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def scanned(town: Town, visit: Visit, **changed: Any) -> None:
    """Store the scan that opened a visit."""
    values = {"channel": "app", "assurance": "otp", "late": "1 minute"} | changed
    with town.as_role("jejak_visits") as cur:
        cur.execute(
            "insert into scan (person, scan_id, facility_no, gate, at, zone, admitted, role, channel, digest,"
            " accepted_at, group_id, refused_reason, assurance, device_id, entered_by, received_at)"
            " select %s, %s, %s, 'entrance', to_timestamp(%s), '', true, 'visitor', %s, gen_random_uuid(),"
            " now(), '', '', %s, '', '', to_timestamp(%s) + %s::interval",
            (
                *(str(visit.person), visit.visit_id, visit.facility, visit.check_in / 1e6, values["channel"]),
                *(values["assurance"], visit.check_in / 1e6, values["late"]),
            ),
        )


def test_a_package_says_how_its_data_came(town: Town) -> None:
    own = town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", check_out_estimated=True)
    scanned(town, own)
    for number, changed in enumerate(
        ({"channel": "officer", "assurance": "officer_saw_id"}, {"assurance": "self"}, {"late": "30 hours"}), start=2
    ):
        scanned(town, town.stay(somebody(number), "RS-1", "2026-11-09 08:30", f"2026-11-09 11:{number}0"), **changed)
    town.take(positive(CASE))
    dossier = dossier_of(town)
    quality = case_of(dossier, Tables(dossier)).quality
    assert (quality.visits, quality.estimated, quality.manual, quality.unproven, quality.late) == (4, 1, 1, 1, 1)
    assert quality.latest_us == 30 * 3_600_000_000
    report = files_of(dossier, ASKED)["report.html"].decode()
    assert "entered by an officer by hand" in report
    assert "not in the file" not in report


def test_times_are_by_the_clock_of_the_places_where_they_met(town: Town) -> None:
    town.stay(CASE, "RS-9", "2026-11-09 08:00", "2026-11-09 12:00")
    town.stay(somebody(2), "RS-9", "2026-11-09 08:30", "2026-11-09 11:00")
    town.take(positive(CASE))
    dossier = dossier_of(town)
    (row,) = rows_in(files_of(dossier, ASKED)["contacts.csv"])
    assert dossier.time_zone == "Asia/Jayapura"
    assert row["first_overlap_start"] == "2026-11-09T08:30:00+09:00"
    assert (row["overlap_minutes"], row["days_from_onset"]) == ("150.000", "-1")
    (case, contact) = rows_in(files_of(dossier, ASKED)["linelist.csv"])
    assert case["infectious_from"] == "2026-11-08T00:00:00+09:00"
    assert contact["infectious_from"] == "2026-11-11T08:30:00+09:00"


def test_a_formula_in_a_zone_is_text_in_every_table(town: Town) -> None:
    zones = ((0, "=1+1"),)
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", zones=zones)
    town.stay(somebody(2), "RS-1", "2026-11-09 08:30", "2026-11-09 11:00", zones=zones)
    town.take(positive(CASE))
    files = files_of(dossier_of(town), ASKED)
    assert rows_in(files["contacts.csv"])[0]["zone"] == "'=1+1"
    assert rows_in(files["exposures.csv"])[0]["zone"] == "'=1+1"


def test_visits_have_the_same_number_in_every_table_and_no_id_of_a_scan(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-07 08:00", "2026-11-07 12:00")
    town.stay(somebody(2), "RS-1", "2026-11-07 08:30", "2026-11-07 11:00")
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00")
    town.stay(somebody(2), "RS-1", "2026-11-09 08:30", "2026-11-09 11:00")
    town.take(positive(CASE))
    files = files_of(dossier_of(town), ASKED)
    forward = {row["from_visit_id"]: row["start"] for row in rows_in(files["exposures.csv"])}
    backward = {row["to_visit_id"]: row["start"] for row in rows_in(files["source_exposures.csv"])}
    assert set(forward) & set(backward)
    assert all(forward[visit] == backward[visit] for visit in set(forward) & set(backward))
    assert all(name.startswith("v") for name in (*forward, *backward))


def test_a_case_who_met_nobody_hands_over_itself_alone(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00")
    town.take(positive(CASE))
    files = files_of(dossier_of(town), ASKED)
    assert rows_in(files["contacts.csv"]) == []
    assert len(rows_in(files["linelist.csv"])) == 1
    assert json.loads(files["trace.json"])["rows"]["nodes"] == 1
    assert b"No candidates by this rule." in files["report.html"]


def test_a_case_that_was_nowhere_can_be_handed_over_too(town: Town) -> None:
    town.take(positive(CASE))
    files = files_of(dossier_of(town), ASKED)
    assert json.loads(files["trace.json"])["cases"][0]["contacts"] == {"1": 0, "2": 0}


def test_before_anybody_approved_there_is_nothing_to_hand_over(town: Town) -> None:
    town.take(request(CASE, date_onset=ONSET))
    with pytest.raises(Conflict, match="no trace yet"):
        files_of(dossier_of(town), ASKED)


def test_the_same_trace_twice_is_the_same_file_but_for_its_run(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00")
    for number in range(2, 6):
        town.stay(somebody(number), "RS-1", f"2026-11-09 08:{number}0", "2026-11-09 11:00")
    town.take(positive(CASE))
    first, second = (zip_of(files_of(dossier_of(town), ASKED), "K") for _ in range(2))
    assert first == second
    assert person_uuid(CASE).encode() not in first


def test_a_decision_and_what_a_candidate_is_stand_beside_him(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00")
    town.stay(somebody(2), "RS-1", "2026-11-09 08:30", "2026-11-09 11:00", role="staff")
    town.take(positive(somebody(2), lab_ref="other", date_onset=None))
    town.take(positive(CASE))
    dossier = dossier_of(town)
    (row,) = rows_in(files_of(dossier, ASKED)["contacts.csv"])
    assert (row["role"], row["already_case"], row["decision"]) == ("staff", "true", "")
    assert "already a case" in files_of(dossier, ASKED)["report.html"].decode()
