"""Laws of the synthetic town: people are possible people, nobody is in two places, and what is scanned is what was."""

import csv
import re
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.commands.town import town as town_command
from portal.facility_file import read_facilities
from portal.identity import normalise
from portal.nik import check_nik, known_regions
from producers.town.files import FACILITY_COLUMNS, gate_scan, iso, write_facilities, write_scans
from producers.town.life import DAY_US, HOUR_US, WARM_UP_DAYS, Life, Outing, midnight_us
from producers.town.people import Town, build_town
from producers.town.regions import districts
from producers.town.scanning import SECOND_US, TownScan, town_scans
from schemas.codec import Codec, encode
from schemas.errors import BadInput
from schemas.events import Channel, Gate, Kind, Role, Scan
from schemas.settings import Settings
from tests.producers.small_gate import small_gate
from tracing.pair import pair

START = date(2026, 1, 5)
DAYS = 3
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(seed=7, people=6_000, facilities=400)


@pytest.fixture(scope="module")
def scans(town: Town) -> list[TownScan]:
    return list(town_scans(town, START, DAYS))


@pytest.fixture(scope="module")
def outings(town: Town) -> list[Outing]:
    life = Life(town, START)
    return [outing for day in range(-WARM_UP_DAYS, DAYS) for outing in life.day(day)]


def test_the_same_seed_gives_the_same_town_and_another_seed_another(town: Town, scans: list[TownScan]) -> None:
    again = build_town(seed=7, people=6_000, facilities=400)
    assert again == town
    assert list(town_scans(again, START, DAYS)) == scans
    other = build_town(seed=8, people=6_000, facilities=400)
    assert {person.subject for person in other.people} != {person.subject for person in town.people}
    ids = {scan.scan_id for scan in town_scans(other, START, 1)}
    assert not ids & {scan.scan_id for scan in scans}


def test_a_longer_stay_in_the_town_begins_with_the_same_days(town: Town, scans: list[TownScan]) -> None:
    first_day_us = midnight_us(START) + DAY_US
    one_day = {scan.scan_id for scan in town_scans(town, START, 1)}
    assert one_day == {scan.scan_id for scan in scans if scan.at_us < first_day_us}


def test_every_nik_could_have_been_given_and_none_twice(town: Town) -> None:
    niks = [person.subject.value for person in town.people if person.subject.type == "nik"]
    assert len(niks) > 0.98 * len(town.people)
    for nik in niks:
        assert check_nik(nik, known_regions()) == nik
    assert len(set(niks)) == len(niks)
    women = sum(int(nik[6:8]) > 40 for nik in niks)
    assert 0.45 < women / len(niks) < 0.55


def test_the_vault_takes_every_subject(town: Town) -> None:
    kinds = Counter(person.subject.type for person in town.people)
    assert kinds["nik"] > kinds["passport"] + kinds["kitas"] > 0
    for person in town.people:
        subject = normalise(person.subject.type, person.subject.value, person.subject.district, demo=False)
        assert subject.value == person.subject.value


def test_every_region_code_is_real_and_every_district_has_every_kind(town: Town) -> None:
    real = known_regions()
    for area in districts():
        assert area.code in real.districts
        assert {each.code for each in area.sub_districts} <= real.sub_districts
        kinds = {place.kind for place in town.places if place.district == area.code}
        assert kinds == set(Kind)
    assert {person.district for person in town.people} == {area.code for area in districts()}
    assert {place.sub_district[:5] for place in town.places} == {area.code for area in districts()}


def test_four_hundred_facilities_go_through_the_register_s_own_reader(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "facilities.csv"
    assert write_facilities(path, town) == 400
    rows = [row for _, row in read_facilities(path)]
    assert len({row.facility_id for row in rows}) == len({row.name for row in rows}) == 400
    shares = Counter(row.kind for row in rows)
    assert shares[Kind.CLINIC] > shares[Kind.PUSKESMAS] > shares[Kind.LABORATORY] > shares[Kind.HOSPITAL] > 40
    assert all(row.owner == "government" for row in rows if row.kind == Kind.PUSKESMAS)
    assert path.read_text().splitlines()[0] == ",".join(FACILITY_COLUMNS)


def test_nobody_is_in_two_places_at_once(outings: list[Outing]) -> None:
    of_person: dict[int, list[Outing]] = defaultdict(list)
    for outing in outings:
        assert outing.arrive_us < outing.leave_us
        assert all(outing.arrive_us <= at < outing.leave_us for at, _ in outing.zones)
        of_person[outing.person].append(outing)
    for own in of_person.values():
        for before, after in pairwise(sorted(own, key=lambda outing: outing.arrive_us)):
            assert before.leave_us < after.arrive_us


def test_all_roles_occur_and_inpatients_stay_for_days_in_hospitals(town: Town, outings: list[Outing]) -> None:
    assert {outing.role for outing in outings} == set(Role) - {Role.UNKNOWN}
    beds = [outing for outing in outings if outing.role is Role.INPATIENT]
    assert max(outing.leave_us - outing.arrive_us for outing in beds) > 3 * DAY_US
    assert {town.places[outing.place].kind for outing in beds} == {Kind.HOSPITAL}
    assert min(outing.arrive_us for outing in beds) < midnight_us(START)
    together = Counter(outing.group_id for outing in outings if outing.group_id)
    assert max(together.values()) == 3


def test_companions_stay_where_one_of_their_household_is(town: Town, outings: list[Outing]) -> None:
    patients = {
        (town.people[outing.person].household, outing.place)
        for outing in outings
        if outing.role in {Role.INPATIENT, Role.OUTPATIENT}
    }
    companions = [outing for outing in outings if outing.role is Role.COMPANION]
    assert companions
    assert {(town.people[each.person].household, each.place) for each in companions} <= patients


def test_scans_come_in_the_order_of_arrival_which_is_not_that_of_time(scans: list[TownScan]) -> None:
    arrivals = [scan.arrives_us for scan in scans]
    assert arrivals == sorted(arrivals)
    assert all(scan.arrives_us > scan.at_us for scan in scans)
    late = [scan for scan in scans if scan.arrives_us - scan.at_us > HOUR_US]
    assert 0.01 < len(late) / len(scans) < 0.15
    assert max(scan.arrives_us - scan.at_us for scan in scans) > DAY_US
    assert any(after.at_us < before.at_us - HOUR_US for before, after in pairwise(scans))


def test_ids_are_unique_but_for_scans_sent_again_unchanged(scans: list[TownScan]) -> None:
    first: dict[str, TownScan] = {}
    again = 0
    for scan in scans:
        assert UUID7.fullmatch(scan.scan_id)
        assert int(scan.scan_id.replace("-", "")[:12], 16) == scan.at_us // 1_000
        before = first.setdefault(scan.scan_id, scan)
        again += before is not scan
        assert (before.person, before.place, before.gate, before.at_us) == (
            scan.person,
            scan.place,
            scan.gate,
            scan.at_us,
        )
    assert again > 0


def test_people_forget_scan_twice_are_refused_and_have_no_phone(town: Town, scans: list[TownScan]) -> None:
    gates = Counter(scan.gate for scan in scans if scan.admitted)
    assert 0.7 < gates[Gate.EXIT] / gates[Gate.ENTRANCE] < 0.95
    assert gates[Gate.ZONE] > 0
    twice = 0
    latest: dict[tuple[int, int, Gate], int] = {}
    for scan in sorted(scans, key=lambda scan: scan.at_us):
        key = scan.person, scan.place, scan.gate
        twice += key in latest and 0 < scan.at_us - latest[key] < 90 * SECOND_US
        latest[key] = scan.at_us
    assert twice > len(scans) * 0.01
    refused = [scan for scan in scans if not scan.admitted]
    assert refused
    assert all(scan.refused_reason and scan.gate is Gate.ENTRANCE for scan in refused)
    officer = [scan for scan in scans if scan.channel is Channel.OFFICER]
    assert 0.05 < len(officer) / len(scans) < 0.4
    assert not any(town.people[scan.person].has_phone or scan.device_id for scan in officer)


def test_nothing_of_the_time_after_the_last_day_is_scanned(scans: list[TownScan]) -> None:
    assert max(scan.at_us for scan in scans) < midnight_us(START) + DAYS * DAY_US
    assert iso(midnight_us(START)) == "2026-01-05T00:00:00+07:00"
    assert iso(midnight_us(START) + DAY_US - SECOND_US) == "2026-01-05T23:59:59+07:00"


def test_every_scan_is_one_the_gate_could_send_on(town: Town, scans: list[TownScan]) -> None:
    codec = Codec(Scan)
    for scan in scans[:2_000]:
        body = gate_scan(town, scan)
        event = Scan(
            scan_id=body.scan_id,
            person_id=f"{scan.person:032x}",
            facility_id=body.facility_id,
            kind=town.places[scan.place].kind,
            time_zone="Asia/Jakarta",
            zone=body.zone,
            group_id=body.group_id,
            gate=body.gate,
            at=datetime.fromisoformat(body.at),
            admitted=body.admitted,
            refused_reason=body.refused_reason,
            role=body.role,
            channel=body.channel,
            assurance=body.assurance,
            device_id=body.device_id,
            received_at=datetime.fromisoformat(body.at),
        )
        assert codec.decode(encode(event)) == event
        assert body.subject == town.people[scan.person].subject


def test_the_file_is_one_that_pair_reads_and_most_stays_come_back(
    town: Town, scans: list[TownScan], outings: list[Outing], tmp_path: Path
) -> None:
    told: list[int] = []
    assert write_scans(tmp_path / "S.csv", town, scans, progress=told.append) == len(scans)
    done = pair(tmp_path / "S.csv", tmp_path / "out", "Asia/Jakarta")
    assert done.scans == len({scan.scan_id for scan in scans})
    with (tmp_path / "out" / "visits.csv").open() as file:
        found = {(row["person_id"], row["check_in"]) for row in csv.DictReader(file)}
    true = {(town.people[each.person].person_id, iso(each.arrive_us)) for each in outings}
    assert len(found & true) > 0.9 * len(found)
    assert told == list(range(10_000, len(scans) + 1, 10_000))


def test_the_command_writes_the_same_files_twice(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        arguments = ["--people", "500", "--start", "2026-01-05", "--out", str(tmp_path / name / "S.csv")]
        done = CliRunner().invoke(town_command, arguments, obj=Settings(home=tmp_path))
        assert done.exit_code == 0, done.output
        assert re.fullmatch(r"[0-9,]+ scans, 400 facilities, 500 subjects\n", done.stdout)
        texts.append([(tmp_path / name / file).read_bytes() for file in ("S.csv", "facilities.csv", "subjects.csv")])
    assert texts[0] == texts[1]


def test_the_command_sends_every_scan_to_the_gate(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key")
    made = build_town(seed=3, people=800, facilities=20)
    with small_gate() as gate:
        arguments = ["--seed", "3", "--people", "800", "--facilities", "20", "--start", "2026-01-05", "--send"]
        arguments += ["--gate", gate.url, "--key-file", str(tmp_path / "key")]
        done = CliRunner().invoke(town_command, arguments, obj=Settings(home=tmp_path))
    expected = len(list(town_scans(made, START, 1)))
    assert done.stdout.startswith(f"{expected} accepted, 0 invalid")


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path, town: Town) -> None:
    with pytest.raises(BadInput) as bad:
        write_facilities(tmp_path / "missing" / "f.csv", town)
    assert bad.value.field == "--out"
    for name in ("facilities.csv", "subjects.csv"):
        done = CliRunner().invoke(town_command, ["--out", str(tmp_path / name)], obj=Settings(home=tmp_path))
        assert isinstance(done.exception, BadInput)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("people", "facilities"), [(1, 1), (30, 1), (50, 3), (100, 1_000)])
def test_a_town_of_any_size_lives(people: int, facilities: int) -> None:
    town = build_town(seed=1, people=people, facilities=facilities)
    assert (len(town.people), len(town.places)) == (people, facilities)
    assert len({place.name for place in town.places}) == facilities
    scans = list(town_scans(town, START - timedelta(days=1), 2))
    assert {scan.place for scan in scans} <= set(range(facilities))
