from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import product
from random import Random
from xml.etree import ElementTree as ET

import msgspec
import pytest

from schemas.errors import BadInput, NotFound
from schemas.settings import Settings
from tests.tracing.ward import Town, at, positive, request, somebody, town_in, uuid7
from tracing.cases.rows import person_uuid
from tracing.instants import MINUTE_US, us_of, utc_of
from tracing.records import SeenScan
from tracing.rulesets import DEFAULT_RULE, Rule, rule_of, rule_sets
from tracing.visits import visits_of
from tracing.whatif.replay import Answer, Known, Stay, answers, rules_asked
from tracing.whatif.store import read_known, read_known_at
from tracing.whatif.writing import plot, row_of

CASE, COMPANION, NURSE, PASSER, LATER = (somebody(number) for number in range(1, 6))
LONG_AFTER = us_of(at("2027-06-01"))


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
        made.stay(COMPANION, "RS-1", "2026-11-09 08:30", "2026-11-09 10:00")
        made.stay(NURSE, "RS-1", "2026-11-09 06:00", "2026-11-09 08:42", check_out_estimated=True)
        made.stay(PASSER, "RS-1", "2026-11-09 09:00", "2026-11-09 09:14")
        made.stay(LATER, "RS-1", "2026-11-09 10:05", "2026-11-09 10:25")
        yield made


def asked(town: Town, rules: Sequence[Rule], as_of: int | None = None) -> list[Answer]:
    with town.as_role("jejak_ops") as cur:
        case_id = town.case(CASE)[0]
        known = read_known(cur, case_id, rules) if as_of is None else read_known_at(cur, case_id, rules, as_of)
    return answers(known, rules)


def test_the_rule_in_force_finds_what_its_trace_found(town: Town) -> None:
    town.lives_in(NURSE, "31.71")
    (run,) = town.take(positive(CASE))
    (answer,) = asked(town, rules_asked([DEFAULT_RULE], [], [], []))
    assert answer.contacts == run.candidates == 2
    told = {
        office: {one.data.contact_ref for one in run.alerts if one.data.office == office} for office in answer.offices
    }
    assert answer.offices == {office: len(refs - {""}) for office, refs in told.items()}
    assert answer.offices == {"d3171": 1, "d3671": 2, "p31": 1, "p36": 2}


def test_each_combination_is_a_row_and_a_tail_or_fewer_minutes_find_more(town: Town) -> None:
    town.take(positive(CASE))
    found = asked(town, rules_asked([DEFAULT_RULE], [5, 15, 60], [0, 30], []))
    assert [(one.minutes, one.tail_minutes, one.contacts) for one in found] == [
        (5, 0, 3),
        (5, 30, 4),
        (15, 0, 2),
        (15, 30, 3),
        (60, 0, 1),
        (60, 30, 1),
    ]


def test_who_fell_ill_after_meeting_the_case_was_found_or_missed(town: Town) -> None:
    town.take(positive(CASE))
    town.take(positive(COMPANION, date_onset=date(2026, 11, 14)))
    town.take(positive(PASSER, date_onset=date(2026, 11, 16)))
    town.take(positive(NURSE, date_onset=date(2026, 11, 5)))  # ill before they met
    town.take(positive(LATER, date_onset=date(2026, 11, 20)))  # met only where there is a tail
    strict, lax = asked(town, rules_asked([DEFAULT_RULE], [15, 5], [], []))
    assert (strict.later_positive_found, strict.later_positive_missed) == (1, 1)
    assert (lax.later_positive_found, lax.later_positive_missed) == (2, 0)
    without, tailed = asked(town, rules_asked([DEFAULT_RULE], [], [0, 30], []))
    assert (without.later_positive_found, without.later_positive_missed) == (1, 2)
    assert (tailed.later_positive_found, tailed.later_positive_missed) == (2, 1)


def test_a_case_without_visits_has_no_contacts_and_an_unknown_case_is_an_error(town: Town) -> None:
    alone = somebody(77)
    town.take(positive(alone))
    rules = rules_asked([DEFAULT_RULE], [], [], [])
    with town.as_role("jejak_ops") as cur:
        known = read_known(cur, town.case(alone)[0], rules)
        with pytest.raises(NotFound):
            read_known(cur, "K999999", rules)
    assert [one.contacts for one in answers(known, rules)] == [0]


def test_what_was_known_of_the_case_then_is_what_its_results_said_then(town: Town) -> None:
    town.take(positive(CASE, date_onset=None, received_at=at("2026-11-12 09:00")))
    town.take(request(CASE, date_onset=date(2026, 11, 8), at=at("2026-11-13 10:00")))
    rules = rules_asked([DEFAULT_RULE], [], [], [])
    with town.as_role("jejak_ops") as cur:
        case_id = town.case(CASE)[0]
        before = read_known_at(cur, case_id, rules, us_of(at("2026-11-13 09:00")))
        after = read_known_at(cur, case_id, rules, us_of(at("2026-11-13 11:00")))
        with pytest.raises(BadInput, match="as-of"):
            read_known_at(cur, case_id, rules, us_of(at("2026-11-12 08:00")))
    assert (before.case.day_zero, after.case.day_zero) == (date(2026, 11, 11), date(2026, 11, 8))


def test_as_of_an_instant_only_the_scans_and_decisions_accepted_by_then_count(
    fresh_database: Callable[[], Settings],
) -> None:
    random = Random(4)
    with town_in(fresh_database) as town:
        persons = [CASE, *(somebody(number) for number in range(10, 22))]
        scans = {person: _some_scans(town, random, person) for person in persons}
        decisions = _some_decisions(random, scans)
        _store(town, scans, decisions)
        town.take(positive(CASE))
        rules = rules_asked(list(rule_sets()), [], [], [])
        sizes = []
        for day in ("2026-11-12 10:00", "2026-11-13", "2026-11-14", "2026-11-16", "2026-11-20", "2027-06-01"):
            instant = us_of(at(day))
            found = asked(town, rules, instant)
            assert found == answers(_in_memory(town, scans, decisions, instant), rules)
            sizes.append(found[0].exposures)
    assert len(set(sizes)) > 2


def _some_scans(town: Town, random: Random, person: str) -> list[tuple[SeenScan, int]]:
    """Return scans, each with the instant at which it was accepted: up to a week late."""
    made = []
    for _ in range(random.randrange(4, 12)):
        facility = random.choice(["RS-1", "PKM-1"])
        moment = us_of(at("2026-11-08 06:00")) + random.randrange(0, 4 * 24 * 60) * MINUTE_US
        accepted = max(moment, us_of(at("2026-11-10"))) + random.choice([0, 1, 20, 60, 150]) * 60 * MINUTE_US
        gate = random.choice(["entrance", "entrance", "exit", "zone"])
        kind = "hospital" if facility == "RS-1" else "puskesmas"
        number = town.numbers[facility]
        scan = SeenScan(uuid7(), person_uuid(person), number, kind, "Asia/Jakarta", gate, "", moment)
        made.append((scan, accepted))
    return made


def _some_decisions(
    random: Random, scans: dict[str, list[tuple[SeenScan, int]]]
) -> list[tuple[SeenScan, int, str, int]]:
    """Return (scan, serial, verdict, accepted)."""
    all_scans = [one for theirs in scans.values() for one in theirs]
    some = random.sample(all_scans, len(all_scans) // 4)
    return [
        (scan, serial, random.choice(["void", "flag", "clear"]), accepted + (serial * 40 - 20) * 60 * MINUTE_US)
        for scan, accepted in some
        for serial in range(random.randrange(1, 3))
    ]


def _store(
    town: Town, scans: dict[str, list[tuple[SeenScan, int]]], decisions: list[tuple[SeenScan, int, str, int]]
) -> None:
    with town.as_role("jejak_visits") as cur:
        for scan, accepted in (one for theirs in scans.values() for one in theirs):
            cur.execute(
                "insert into scan values (%s, %s, %s, %s, %s, '', true, 'unknown', 'app', %s, %s, '', '', 'self', '',"
                " null, null, '', now())",
                (scan.person, scan.scan_id, scan.facility, scan.gate, utc_of(scan.at), uuid7(), utc_of(accepted)),
            )
        for scan, serial, verdict, accepted in decisions:
            cur.execute(
                "insert into scan_decision values (%s, %s, %s, 'me', %s, %s, '', %s)",
                (scan.person, scan.scan_id, serial, verdict, utc_of(scan.at), utc_of(accepted)),
            )


def _in_memory(
    town: Town,
    scans: dict[str, list[tuple[SeenScan, int]]],
    decisions: list[tuple[SeenScan, int, str, int]],
    instant: int,
) -> Known:
    """Return all there is, of the whole town, from what was accepted by then."""
    stays = []
    for theirs in scans.values():
        known = []
        for scan, accepted in theirs:
            said = [(serial, verdict) for one, serial, verdict, by in decisions if one is scan and by <= instant]
            if accepted <= instant:
                known.append(msgspec.structs.replace(scan, decision=max(said)[1] if said else None))
        stays += [
            Stay(str(one.person), int(str(one.facility)), one.check_in, one.check_out, not one.check_out_estimated)
            for one in visits_of(known)
        ]
    rules = rules_asked([DEFAULT_RULE], [], [], [])
    with town.as_role("jejak_ops") as cur:
        known_now = read_known(cur, town.case(CASE)[0], rules)
    me = person_uuid(CASE)
    own, others = [stay for stay in stays if stay.person == me], [stay for stay in stays if stay.person != me]
    return msgspec.structs.replace(known_now, own=own, others=others)


def test_the_rules_asked_are_every_combination_once_and_a_wrong_one_is_named() -> None:
    found = rules_asked(["who-2022", "cdc-2020"], [5, 5, 15], [0], ["visit", "24h"])
    assert [(one.id, one.minutes, one.count) for one in found] == list(
        product(["who-2022", "cdc-2020"], [5, 15], ["visit", "24h"])
    )
    assert rules_asked([DEFAULT_RULE], [], [], []) == [rule_of()]
    with pytest.raises(BadInput, match="rule"):
        rules_asked(["nobody-1999"], [], [], [])
    with pytest.raises(BadInput, match="minutes"):
        rules_asked(["custom"], [], [], [])
    with pytest.raises(BadInput, match="combinations"):
        rules_asked([DEFAULT_RULE], list(range(1_001)), [], [])


def test_the_plot_is_well_formed_and_has_a_line_for_each_rule_and_tail() -> None:
    some = [
        Answer(
            rule=rule,
            count="visit",
            minutes=minutes,
            tail_minutes=tail,
            contacts=200 - minutes * 3 + tail,
            exposures=1,
            offices={"d3671": 3},
            later_positive_found=0,
            later_positive_missed=0,
        )
        for rule in ("a<b", "b")
        for tail in (0, 30)
        for minutes in (5, 15, 30)
    ]
    root = ET.fromstring(plot(some))  # noqa: S314 — our own
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert [len(str(line.get("points")).split()) for line in lines] == [3] * 4
    assert "a<b, visit, tail 30 min" in [element.text for element in root.iter() if element.tag.endswith("text")]
    assert ET.fromstring(plot([])).tag.endswith("svg")  # noqa: S314 — our own
    assert row_of(some[0])[:8] == ("a<b", "visit", 5, 0, 185, 1, 1, 3)


def test_what_has_been_let_go_is_asked_about_in_vain_and_said_so(town: Town) -> None:
    rules = rules_asked([DEFAULT_RULE], [], [], [])
    town.take(positive(CASE))
    town.move_horizon("2026-11-01")
    assert [asked(town, rules, instant)[0].contacts for instant in (None, LONG_AFTER)] == [2, 0]  # it has no scans
    town.move_horizon("2026-11-09")
    for instant in (None, LONG_AFTER):
        with pytest.raises(BadInput, match="field CASE: asks about days before the horizon"):
            asked(town, rules, instant)
    town.move_horizon("2026-11-20")
    with pytest.raises(BadInput, match="field --as-of: is before the horizon"):
        asked(town, rules, us_of(at("2026-11-14")))
