from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from re import findall

import msgspec
import pytest

from schemas.errors import NotFound
from schemas.events import Alert, PersonStatus
from schemas.settings import Settings
from schemas.version import VERSION
from tests.tracing.ward import Town, at, decide, positive, request, somebody, town_in
from tracing.cases.rows import open_trace, person_uuid
from tracing.cases.store import read_trace
from tracing.instants import MINUTE_US, SECOND_US, us_of
from tracing.job import Run, run_trace
from tracing.keys import LONGEST_US, SHORT_CLASSES, longest_us
from tracing.store import connect

CASE, COMPANION, NURSE, PASSER = somebody(1), somebody(2), somebody(3), somebody(4)


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00", zones=())
        made.stay(COMPANION, "RS-1", "2026-11-09 08:30", "2026-11-09 10:00", role="companion")
        made.stay(NURSE, "RS-1", "2026-11-09 06:00", "2026-11-09 08:42", role="staff", check_out_estimated=True)
        made.stay(PASSER, "RS-1", "2026-11-09 09:00", "2026-11-09 09:14")
        yield made


def told(run: Run) -> list[tuple[str, str]]:
    return [(alert.data.office, alert.data.action) for alert in run.alerts]


def test_a_laboratorys_final_positive_is_traced_ranked_and_told_to_district_and_province(town: Town) -> None:
    (run,) = town.take(positive(CASE))
    assert (run.revision, run.candidates) == (1, 2)
    one_office = ["summary", "added", "added"]
    assert told(run) == [(office, action) for office in ("d3671", "p36") for action in one_office]
    view = read_trace(town.conn, town.case(CASE)[0])
    assert (view.state, view.classification, view.rule, view.revision) == ("open", "konfirmasi", "kmk-4641-2021", 1)
    assert view.window == ("2026-11-07T17:00:00Z", "2026-11-24T17:00:00Z")
    assert [(one.rank, one.overlap_minutes, one.role) for one in view.contacts] == [
        (1, 90.0, "companion"),
        (2, 42.0, "staff"),
    ]
    assert view.contacts[1].reason == (
        "RSUD Kota Tangerang, 42 min together on 9 Nov, day \N{MINUS SIGN}1 of onset; check-out estimated"
        "; together for a small part of both stays; few others present"
    )
    assert view.contacts[1].estimated
    assert not view.contacts[0].estimated


def test_no_person_and_no_day_of_the_case_is_in_an_alert_or_in_what_people_are_shown(town: Town) -> None:
    (run,) = town.take(positive(CASE))
    persons = [person for one in (CASE, COMPANION, NURSE, PASSER) for person in (one, person_uuid(one))]
    bodies = [message.value for message in run.messages if message.topic.startswith("alert.")]
    keys = [message.key for message in run.messages if message.topic.startswith("alert.")]
    assert len(bodies) == 6
    for planted in [*persons, "2026-11-10", "2026-11-11", "onset", "specimen", town.case(CASE)[0]]:
        assert all(body is not None and planted.encode() not in body for body in bodies)
        assert all(planted.encode() not in key for key in keys)
    view = msgspec.json.encode(read_trace(town.conn, town.case(CASE)[0]))
    assert all(person.encode() not in view for person in persons)


def test_asking_twice_gives_the_same_trace_and_no_second_alert(town: Town) -> None:
    fact = positive(CASE)
    town.take(fact)
    before = town.ask("select * from candidate order by person"), town.ask("select * from exposure order by to_visit")
    assert town.take(fact) == []
    case_id = town.case(CASE)[0]
    again = run_trace(town.conn, case_id)
    (asked,) = town.take(request(CASE))
    for run in (again, asked):
        assert (run.revision, run.alerts, run.messages) == (1, [], [])
    assert before == (
        town.ask("select * from candidate order by person"),
        town.ask("select * from exposure order by to_visit"),
    )
    assert town.ask("select count(*) from trace") == [(1,)]


def test_a_late_visit_is_added_and_a_longer_one_is_a_change(town: Town) -> None:
    town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    town.stay(somebody(5), "RS-1", "2026-11-09 07:00", "2026-11-09 09:30")
    late = run_trace(town.conn, case_id)
    assert (late.revision, told(late)) == (2, [("d3671", "added"), ("p36", "added")])
    town.stay(NURSE, "RS-1", "2026-11-09 09:00", "2026-11-09 09:20", role="staff")
    more = run_trace(town.conn, case_id)
    assert told(more) == [("d3671", "changed"), ("p36", "changed")]
    assert more.alerts[0].data.minutes_band == "60-239"
    with town.as_role("jejak_visits") as cur:
        cur.execute("delete from visit where person = %s", (person_uuid(COMPANION),))
    assert told(run_trace(town.conn, case_id)) == [("d3671", "withdrawn"), ("p36", "withdrawn")]


def test_names_stay_the_same_over_revisions_and_differ_between_offices(town: Town) -> None:
    (first,) = town.take(positive(CASE))
    refs = {(alert.data.office, alert.data.contact_ref) for alert in first.alerts}
    assert len({ref for _, ref in refs if ref}) == 4
    assert len({alert.data.trace_ref for alert in first.alerts}) == 2
    town.stay(NURSE, "RS-1", "2026-11-09 09:00", "2026-11-09 09:20")
    changed = run_trace(town.conn, town.case(CASE)[0])
    assert {(alert.data.office, alert.data.contact_ref) for alert in changed.alerts} <= refs
    assert {alert.id for alert in changed.alerts}.isdisjoint({alert.id for alert in first.alerts})


def test_entered_in_error_closes_the_case_and_takes_everything_back(town: Town) -> None:
    wrong = positive(CASE)
    town.take(wrong)
    case_id = town.case(CASE)[0]
    ref = read_trace(town.conn, case_id).contacts[0].contact_ref
    town.take(decide(CASE, case_id, ref, "confirmed"))
    assert len(town.ask("select 1 from person_status")) == 2
    (run,) = town.take(positive(CASE, status="entered_in_error", supersedes=wrong.result_id, lab_ref=wrong.lab_ref))
    assert town.case(CASE)[:3] == (case_id, "closed", "discarded")
    assert told(run) == [(office, "withdrawn") for office in ("d3671", "d3671", "p36", "p36")]
    tombstones = [message for message in run.messages if message.topic == "person-status.v1"]
    assert len(tombstones) == 2
    assert all(message.value is None for message in tombstones)
    assert town.ask("select state from trace") == [("closed",)]
    assert town.ask("select count(*) from person_status") == [(0,)]
    assert read_trace(town.conn, case_id).contacts == ()


def test_a_case_that_was_nowhere_has_an_empty_list(town: Town) -> None:
    (run,) = town.take(positive(somebody(9)))
    assert (run.revision, run.candidates, run.alerts) == (1, 0, [])
    assert read_trace(town.conn, town.case(somebody(9))[0]).contacts == ()


def test_an_earlier_isolation_shortens_the_window_and_withdraws_what_lies_behind(town: Town) -> None:
    town.stay(CASE, "PKM-1", "2026-11-14 08:00", "2026-11-14 09:00")
    town.stay(somebody(6), "PKM-1", "2026-11-14 08:00", "2026-11-14 09:00")
    (first,) = town.take(positive(CASE))
    assert first.candidates == 3
    (run,) = town.take(request(CASE, date_isolation=date(2026, 11, 12)))
    assert run.candidates == 2
    assert told(run) == [("d3671", "withdrawn"), ("p36", "withdrawn")]


def test_each_facility_has_its_own_midnight(town: Town) -> None:
    # 8 November begins two hours earlier in Jayapura than in Jakarta: the same instant is inside only there.
    town.stay(CASE, "RS-9", "2026-11-08 00:00", "2026-11-08 01:00")
    town.stay(somebody(7), "RS-9", "2026-11-08 00:10", "2026-11-08 01:00")
    town.stay(CASE, "PKM-1", "2026-11-07 23:00", "2026-11-08 00:00")
    town.stay(somebody(8), "PKM-1", "2026-11-07 23:00", "2026-11-08 00:00")
    town.take(positive(CASE))
    view = read_trace(town.conn, town.case(CASE)[0])
    assert {one.facility_id for one in view.contacts} == {"RS-1", "RS-9"}
    assert [one.first_overlap_start for one in view.contacts if one.facility_id == "RS-9"] == [
        "2026-11-08T00:10:00+09:00"
    ]


def test_long_and_short_stays_of_every_class_are_found(town: Town) -> None:
    stays = [("2026-11-09 08:00", "2026-11-09 08:45"), ("2026-11-09 08:00", "2026-11-09 11:00")]
    stays += [("2026-11-08 20:00", "2026-11-09 19:00"), ("2026-11-07 08:00", "2026-11-10 08:00")]
    stays += [("2026-11-01 08:00", "2026-11-11 08:00"), ("2026-09-01 08:00", "2026-11-11 08:00")]
    for number, (start, end) in enumerate(stays):
        town.stay(somebody(20 + number), "RS-1", start, end)
    town.take(positive(CASE))
    found = {person for (person,) in town.ask("select person::text from candidate")}
    assert {person_uuid(somebody(20 + number)) for number in range(len(stays))} <= found


def test_offices_of_exposure_and_residence_are_told_each_only_its_own(town: Town) -> None:
    town.stay(CASE, "PKM-2", "2026-11-12 08:00", "2026-11-12 09:00")
    town.stay(COMPANION, "PKM-2", "2026-11-12 08:00", "2026-11-12 08:20", role="companion")
    town.lives_in(NURSE, "31.71")
    (run,) = town.take(positive(CASE))
    by_office = {
        office: [alert.data for alert in run.alerts if alert.data.office == office and alert.data.action == "added"]
        for office in ("d3671", "p36", "d3171", "p31")
    }
    assert [len(singles) for singles in by_office.values()] == [2, 2, 2, 2]
    places = {office: [single.facility_id for single in singles] for office, singles in by_office.items()}
    assert places["d3671"] == ["RS-1", "RS-1"]
    assert places["d3171"] == ["PKM-2", "RS-1"]  # the companion met there; the nurse only lives there


def test_beyond_the_limit_candidates_are_counted_not_sent(town: Town) -> None:
    crowd = [somebody(100 + number) for number in range(60)]
    for person in crowd:
        town.stay(person, "RS-1", "2026-11-09 08:00", "2026-11-09 08:20")
    (run,) = town.take(positive(CASE))
    district = [alert.data for alert in run.alerts if alert.data.office == "d3671"]
    assert district[0].summary is not None
    assert (district[0].summary.candidates, district[0].summary.sent_one_by_one) == (62, 50)
    assert [one.rank for one in district[1:]] == list(range(1, 51))
    assert district[0].summary.by_minutes == {"15-29": 60, "30-59": 1, "60-239": 1}
    assert district[0].summary.by_role == {"companion": 1, "staff": 1, "visitor": 60}
    assert run_trace(town.conn, town.case(CASE)[0]).alerts == []


def test_black_holds_for_the_case_and_for_a_contact_only_once_confirmed(town: Town) -> None:
    (run,) = town.take(positive(CASE))
    statuses = [message for message in run.messages if message.topic == "person-status.v1"]
    assert [message.key for message in statuses] == [f"{CASE}|{town.case(CASE)[0]}".encode()]
    case_id = town.case(CASE)[0]
    first = msgspec.json.decode(statuses[0].value or b"", type=PersonStatus)
    assert first.until.isoformat() == "2026-11-20T17:00:00+00:00"
    ref = read_trace(town.conn, case_id).contacts[0].contact_ref
    (confirmed,) = town.take(decide(CASE, case_id, ref, "confirmed"))
    (message,) = confirmed.messages
    assert msgspec.json.decode(message.value or b"", type=PersonStatus).until.isoformat() == "2026-11-23T03:00:00+00:00"
    assert read_trace(town.conn, case_id).contacts[0].decision == "confirmed"
    (dropped,) = town.take(decide(CASE, case_id, ref, "dropped"))
    assert [(one.key, one.value) for one in dropped.messages] == [(f"{COMPANION}|{case_id}".encode(), None)]


def test_data_alone_never_shorten_what_people_confirmed(town: Town) -> None:
    town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    ref = read_trace(town.conn, case_id).contacts[0].contact_ref
    town.take(decide(CASE, case_id, ref, "confirmed"))
    before = town.ask("select * from person_status order by person")
    with town.as_role("jejak_visits") as cur:
        cur.execute("delete from visit where person = %s", (person_uuid(COMPANION),))
    run = run_trace(town.conn, case_id)
    assert run.candidates == 1
    assert town.ask("select * from person_status order by person") == before


def test_whom_people_confirm_though_no_meeting_is_left_is_black_from_the_day_an_office_was_told_of(town: Town) -> None:
    town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    ref = read_trace(town.conn, case_id).contacts[0].contact_ref
    town.conn.rollback()
    with town.as_role("jejak_visits") as cur:
        cur.execute("delete from visit where person = %s", (person_uuid(COMPANION),))
    assert run_trace(town.conn, case_id).candidates == 1
    (confirmed,) = town.take(decide(CASE, case_id, ref, "confirmed"))
    (message,) = confirmed.messages
    assert message.key == f"{COMPANION}|{case_id}".encode()
    assert msgspec.json.decode(message.value or b"", type=PersonStatus).until.isoformat() == "2026-11-23T17:00:00+00:00"


def test_an_office_can_decide_by_the_name_it_knows(town: Town) -> None:
    (run,) = town.take(positive(CASE))
    single = next(alert.data for alert in run.alerts if alert.data.office == "p36" and alert.data.rank == 1)
    town.take(decide(CASE, town.case(CASE)[0], single.contact_ref, "confirmed"))
    assert read_trace(town.conn, town.case(CASE)[0]).contacts[0].decision == "confirmed"


def test_a_candidate_who_is_an_open_case_himself_is_labelled(town: Town) -> None:
    town.take(positive(COMPANION))
    (run,) = town.take(positive(CASE))
    view = read_trace(town.conn, town.case(CASE)[0])
    assert [one.already_case for one in view.contacts] == [True, False]
    assert [alert.data.already_case for alert in run.alerts if alert.data.rank == 1] == [True, True]


def test_the_header_says_what_the_trace_stands_on(town: Town) -> None:
    town.take(positive(CASE))
    ((header,),) = town.ask("select header from trace")
    assert header["rows"] == {
        "visits": 1,
        "visits_met": 3,
        "exposures": 2,
        "candidates": 2,
        "second_degree_pairs": 0,
        "source_exposures": 2,
    }
    assert header["graph"] == {"nodes": 3, "edges": 2, "by_degree": {"0": 1, "1": 2}}
    assert header["rule"]["minutes"] == 15
    assert header["requested_by"] == "lab one"
    assert header["versions"]["jejak"] == VERSION
    assert header["positions"] == {"scan.v1": []}


def test_a_trace_that_nobody_opened_is_not_found(town: Town) -> None:
    with pytest.raises(NotFound):
        run_trace(town.conn, "K999999")
    with pytest.raises(NotFound):
        read_trace(town.conn, "K999999")


def test_sums_are_exact_to_the_microsecond(town: Town) -> None:
    visit = town.stay(CASE, "PKM-1", "2026-11-12 08:00", "2026-11-12 09:00")
    town.stay(somebody(30), "PKM-1", "2026-11-12 07:00", "2026-11-12 07:30", check_out=visit.check_in + 15 * MINUTE_US)
    town.stay(
        somebody(31), "PKM-1", "2026-11-12 07:00", "2026-11-12 07:30", check_out=visit.check_in + 15 * MINUTE_US - 1
    )
    town.take(positive(CASE))
    found = [person for (person,) in town.ask("select person::text from candidate")]
    assert person_uuid(somebody(30)) in found
    assert person_uuid(somebody(31)) not in found


def test_an_alert_is_a_cloud_event(town: Town) -> None:
    (run,) = town.take(positive(CASE))
    alerts = [
        msgspec.json.decode(message.value or b"", type=Alert)
        for message in run.messages
        if message.topic == "alert.p36"
    ]
    assert alerts == [alert for alert in run.alerts if alert.data.office == "p36"]
    assert {alert.specversion for alert in alerts} == {"1.0"}
    assert all(alert.id == alert.data.alert_id and alert.subject == alert.data.trace_ref for alert in alerts)
    assert all(alert.data.due_by is not None for alert in alerts)


def test_a_look_up_is_index_only_ranges_whatever_the_statistics_say(town: Town) -> None:
    town.take(positive(CASE))
    ((body, settings),) = town.ask("select prosrc, proconfig from pg_proc where proname = 'trace_met'")
    query = body[body.index("select m.key") : body.rindex(";\nend")]
    start, end = (us_of(at(f"2026-11-{day} 00:00")) for day in (11, 12))
    given = {"places": "'{1}'::int[]", "froms": f"'{{{start}}}'::bigint[]", "untils": f"'{{{end}}}'::bigint[]"}
    for name, value in given.items():
        query = query.replace(name, value)
    with town.as_role("jejak_ops") as cur:
        for setting in settings:
            if not setting.startswith("plan_cache_mode"):
                cur.execute(f"set local {setting}")
        query = query.replace("together", "interval '0'")
        cur.execute(f"explain (analyze, costs off, timing off, summary off) {query}")
        plan = [row[0] for row in cur.fetchall() if "Scan" in row[0] and " on visit" in row[0]]
    assert all("Index Only Scan" in line for line in plan)
    weeks = [line for line in plan if "visit_long" not in line]
    # Three classes of short stays, one week each: the others, made ahead of time, are not opened.
    assert len([line for line in weeks if "never executed" not in line]) == 3
    assert len(weeks) > 3


@pytest.mark.parametrize("name", ["trace_met", "trace_met_whole"])
def test_the_look_up_reads_the_stay_classes_of_the_keys(town: Town, name: str) -> None:
    ((body,),) = town.ask("select prosrc from pg_proc where proname = %s", name)
    branches = body.split("union all")
    assert len(branches) == len(LONGEST_US) + 1
    for stay, branch in enumerate(branches):
        longest = longest_us(stay)
        assert f"s.p * 8 + {stay} " in branch
        assert f"from {'visit' if stay in SHORT_CLASSES else 'visit_long'} v" in branch
        bounds = findall(r"interval '(\d+) seconds'", branch)
        assert bounds == ([str(longest // SECOND_US)] if longest else [])


def test_only_where_people_were_scanned_is_a_place_never_the_laboratory_that_reports(town: Town) -> None:
    town.stay(somebody(40), "LAB-2", "2026-11-11 08:00", "2026-11-11 09:00")
    (run,) = town.take(positive(CASE, laboratory="LAB-2", by="lab two"))
    assert "d3171" not in {alert.data.office for alert in run.alerts}
    assert {one.facility_id for one in read_trace(town.conn, town.case(CASE)[0]).contacts} == {"RS-1"}


def test_runs_at_once_wait_for_one_another_and_tell_everything_once(town: Town) -> None:
    town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    told_twice: list[str] = []

    def run_again() -> None:
        conn = connect(town.settings, "jejak_traces")
        try:
            for _ in range(8):
                told_twice.extend(alert.id for alert in run_trace(conn, case_id).alerts)
        finally:
            conn.close()

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(run_again) for _ in range(3)]
        for number in range(5):
            town.stay(somebody(50 + number), "RS-1", "2026-11-09 08:00", "2026-11-09 09:00")
        for run in runs:
            run.result()
    told_twice.extend(alert.id for alert in run_trace(town.conn, case_id).alerts)
    assert len(told_twice) == len(set(told_twice)) == 10  # five persons, two offices, each once
    assert len(read_trace(town.conn, case_id).contacts) == 7


def test_one_case_under_two_rules_is_two_traces_whose_alerts_are_told_apart(town: Town) -> None:
    (first,) = town.take(positive(CASE))
    case_id = town.case(CASE)[0]
    with town.conn, town.conn.cursor() as cur:
        open_trace(cur, case_id, "cdc-2020")
    second = run_trace(town.conn, case_id, "cdc-2020")
    assert (second.revision, second.candidates) == (1, 2)
    assert {alert.id for alert in first.alerts}.isdisjoint({alert.id for alert in second.alerts})
    assert read_trace(town.conn, case_id, "cdc-2020").rule == "cdc-2020"
