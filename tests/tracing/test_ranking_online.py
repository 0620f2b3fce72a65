"""Online, a probability is that of a file of the same visits, and it ranks what is read and told, but tells nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest

from schemas.settings import Settings
from tests.tracing import trace_cases
from tests.tracing.test_rings import PERSONS, ZONE, case_row, row_of, stays
from tests.tracing.trace_cases import read_table
from tests.tracing.ward import ONSET, Town, positive, somebody, town_in
from tracing.cases.likeness import Likely
from tracing.cases.store import TraceView, read_trace
from tracing.job import run_trace
from tracing.ranking.words import Counted
from tracing.rulesets import rule_of
from tracing.visits import Visit

DAY = "2026-11-09"
Said = dict[tuple[str, str, int], tuple[float, int]]  # by case, person met and degree: probability and rank
NOTHING = Counted(0.5, 1, 0, 0, 20.0, 0.0, 0.0)


def zoned(random: Random, visit: Visit) -> Visit:
    zone = random.choice(["", "ward", "waiting"])
    return msgspec.structs.replace(visit, zones=((visit.check_in, zone),) if zone else ())


def refs(town: Town, case_id: str) -> dict[str, str]:
    return dict(
        town.ask(
            "select ref, person::text from reference where case_id = %s and office = '' and person is not null", case_id
        )
    )


def said_online(town: Town, view: TraceView) -> tuple[Said, Said]:
    named = refs(town, view.case_id)
    contacts = {
        (view.case_id, named[one.contact_ref], one.degree): (one.probability or 0.0, one.rank) for one in view.contacts
    }
    sources = {
        (view.case_id, named.get(one.source_ref, "unknown"), 0): (one.probability or 0.0, one.rank)
        for one in view.sources
    }
    return contacts, sources


def said_in_files(out: Path) -> tuple[Said, Said]:
    contacts = {
        (row["case_id"], row["to"], int(row["degree"])): (float(row["probability"]), int(row["rank"]))
        for row in read_table(out / "contacts.csv")
        if row["degree"] == "1"
    }
    sources = {
        (row["case_id"], row["from"], 0): (float(row["probability"] or 0), int(row["rank"]))
        for row in read_table(out / "sources.csv")
    }
    return contacts, sources


@pytest.mark.parametrize("seed", range(2))
def test_a_probability_and_a_rank_are_those_of_a_file_of_the_same_visits(
    fresh_database: Callable[[], Settings], tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    with town_in(fresh_database) as town:
        visits = [zoned(random, visit) for visit in stays(random, town)]
        town.stays(visits)
        rows = [row_of(visit) | {"zone": visit.zones[0][1] if visit.zones else ""} for visit in visits]
        cases = []
        for number in range(6):
            onset = ONSET + timedelta(days=random.randrange(-3, 5))
            town.take(positive(somebody(number), date_onset=onset))
            cases.append(case_row(town.case(somebody(number))[0], PERSONS[number], onset, None))
        out = trace_cases.run(
            tmp_path, trace_cases.Town(ZONE, tuple(rows), tuple(cases)), rule_of(), direction="both", degrees=2
        )
        found: tuple[Said, Said] = {}, {}
        for case in cases:
            for some, more in zip(found, said_online(town, read_trace(town.conn, case["case_id"])), strict=True):
                some.update({key: value for key, value in more.items() if key[2] < 2})
        expected = said_in_files(out)
        assert len(expected[0]) > 10
        assert found == expected


def test_who_came_and_left_with_the_case_is_read_and_told_first(
    fresh_database: Callable[[], Settings],
) -> None:
    case, companion, guard = (somebody(number) for number in (1, 2, 3))
    with town_in(fresh_database) as town:
        town.stay(case, "RS-1", f"{DAY} 08:00", f"{DAY} 10:00")
        town.stay(companion, "RS-1", f"{DAY} 08:05", f"{DAY} 09:58")
        town.stay(guard, "RS-1", f"{DAY} 06:00", f"{DAY} 22:00")
        town.stays(
            [town.visit(somebody(10 + n), "RS-1", f"{DAY} 0{n % 8}:3{n % 6}", f"{DAY} 1{n % 10}:30") for n in range(30)]
        )
        (run,) = town.take(positive(case))
        view = read_trace(town.conn, town.case(case)[0])
        named = refs(town, view.case_id)
        by_rank = [named[one.contact_ref] for one in view.contacts]
        minutes = {named[one.contact_ref]: one.overlap_minutes for one in view.contacts}
        first, last = view.contacts[0], view.contacts[by_rank.index(PERSONS[3])]
        assert by_rank[0] == PERSONS[2]
        assert minutes[PERSONS[2]] < minutes[PERSONS[3]]
        assert (first.probability or 0) > (last.probability or 0) > 0
        assert "arrived and left within minutes of each other" in first.reason
        told = [one.data for one in run.alerts if one.data.office == "d3671" and one.data.contact_ref]
        assert [one.rank for one in told] == list(range(1, len(told) + 1))
        office = dict(town.ask("select ref, person::text from reference where case_id = %s", view.case_id))
        assert [office[one.contact_ref] for one in told] == by_rank[: len(told)]
        assert told[0].minutes_band == "60-239"
        assert {one.probability_band for one in told} <= {"<1", "1-4", "5-19", "20+"}
        assert any("arrived and left within minutes of each other" in one.reason for one in told)


def test_a_changed_probability_alone_makes_no_alert(fresh_database: Callable[[], Settings]) -> None:
    case, companion = somebody(1), somebody(2)
    with town_in(fresh_database) as town:
        for person in (case, companion):
            town.stay(person, "RS-1", f"{DAY} 08:00", f"{DAY} 10:00")
        town.take(positive(case))
        case_id = town.case(case)[0]
        before = read_trace(town.conn, case_id)
        town.conn.rollback()
        town.stays([town.visit(somebody(10 + n), "RS-1", f"{DAY} 09:50", f"{DAY} 09:59") for n in range(80)])
        again = run_trace(town.conn, case_id)
        after = read_trace(town.conn, case_id)
        assert again.alerts == []
        assert after.revision == before.revision
        assert after.contacts[0].probability != before.contacts[0].probability


@pytest.mark.parametrize(
    ("millionths", "band"),
    [(0, "<1"), (9_999, "<1"), (10_000, "1-4"), (50_000, "5-19"), (200_000, "20+"), (999_999, "20+")],
)
def test_an_office_is_told_a_band_of_the_probability(millionths: int, band: str) -> None:
    assert Likely(millionths, NOTHING).band == band
