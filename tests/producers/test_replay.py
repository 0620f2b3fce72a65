"""Stays become scans, and pairing the scans gives the stays back."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from ops.commands.replay import replay
from ops.stays import read_stays
from producers.gate_scans import GateScan
from producers.presence import FACILITIES, VISITS
from producers.replay import Stay, as_fast_as_possible, at_speed, last_event, replay_scans
from producers.scan_ids import TIES_MAX, scan_id
from schemas.errors import BadInput
from schemas.events import Channel, Gate
from schemas.settings import Settings
from tests.producers.small_gate import SmallGate, small_gate
from tracing.instants import us_of, utc_of
from tracing.records import SeenScan
from tracing.visits import visits_of

BASE = datetime(2026, 1, 5, tzinfo=UTC)
END = BASE + timedelta(hours=1)
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NOW = timedelta(0)


@st.composite
def one_persons_stays(draw: st.DrawFn) -> list[Stay]:
    """Stays of one person one after another, also at once and of no length; all but the last have an end."""
    at = BASE
    stays = []
    for number in range(draw(st.integers(1, 8))):
        at += timedelta(microseconds=draw(st.sampled_from([0, 1, 999, 1_000, 10**6, 20 * 60 * 10**6])))
        length = timedelta(microseconds=draw(st.sampled_from([0, 1, 1_000, 60 * 10**6, 3_600 * 10**6])))
        facility, zone = draw(st.sampled_from("ABC")), draw(st.sampled_from(["", "ward"]))
        stays.append(
            Stay(
                visit_id=f"V{number}",
                person_id="P",
                facility_id=facility,
                zone=zone,
                check_in=at,
                check_out=at + length,
            )
        )
        at += length
    return stays


def paired(stays: list[Stay]) -> list[Stay]:
    """Return the visits that the stays' scans are paired to, as stays."""
    scans = replay_scans(stays, NOW, channel=Channel.APP)
    persons: dict[str, list[SeenScan]] = {}
    for s in reversed(scans):
        person, at = s.subject.value, us_of(at_of(s))
        seen = SeenScan(s.scan_id, person, s.facility_id, "hospital", "Asia/Jakarta", s.gate, s.zone, at)
        persons.setdefault(person, []).append(seen)
    visits = [visit for seen in persons.values() for visit in visits_of(seen)]
    assert not any(visit.check_in_estimated for visit in visits)
    return [
        Stay(
            visit_id="",
            person_id=str(visit.person),
            facility_id=str(visit.facility),
            zone=visit.zones[0][1] if visit.zones else "",
            check_in=utc_of(visit.check_in),
            check_out=None if visit.check_out_estimated else utc_of(visit.check_out),
        )
        for visit in visits
    ]


def at_of(scan: GateScan) -> datetime:
    return datetime.fromisoformat(scan.at)


@given(one_persons_stays())
def test_pairing_the_scans_gives_the_stays_back(stays: list[Stay]) -> None:
    assert paired(stays) == [msgspec.structs.replace(stay, visit_id="") for stay in stays]


@given(one_persons_stays(), st.randoms(use_true_random=False))
def test_the_same_stays_give_the_same_scans_in_any_order(stays: list[Stay], random: Random) -> None:
    shuffled = random.sample(stays, len(stays))
    scans = replay_scans(stays, NOW, channel=Channel.APP)
    assert scans == replay_scans(shuffled, NOW, channel=Channel.APP)
    assert len({scan.scan_id for scan in scans}) == len(scans)
    assert scans == sorted(scans, key=at_of)


def test_a_stay_without_an_end_gets_no_exit() -> None:
    (scan,) = replay_scans([stay("V1", check_out=None)], NOW, channel=Channel.APP)
    assert scan.gate is Gate.ENTRANCE


def test_a_shift_moves_every_scan_and_makes_new_ids() -> None:
    week = timedelta(days=7)
    before = replay_scans([stay("V1")], NOW, channel=Channel.APP)
    after = replay_scans([stay("V1")], week, channel=Channel.APP)
    assert [at_of(scan) + week for scan in before] == [at_of(scan) for scan in after]
    assert not {scan.scan_id for scan in before} & {scan.scan_id for scan in after}


def test_an_id_says_nothing_of_a_nik_and_tells_others_apart() -> None:
    ids = [
        [scan.scan_id for scan in replay_scans([stay("V1", person_id=who)], NOW, channel=Channel.APP)]
        for who in ("3671010101900001", "3671010101900002", "P1", "P2")
    ]
    assert ids[0] == ids[1]
    assert not {*ids[1]} & {*ids[2]}
    assert not {*ids[2]} & {*ids[3]}


@pytest.mark.parametrize(
    ("person_id", "kind"),
    [
        ("3671010101900001", "nik"),
        ("367101010190000", "test"),
        ("\uff13671010101900001", "test"),
        ("P1", "test"),
    ],
)
def test_sixteen_digits_are_a_nik(person_id: str, kind: str) -> None:
    (scan, _) = replay_scans([stay("V1", person_id=person_id)], NOW, channel=Channel.APP)
    assert (scan.subject.type, scan.subject.value) == (kind, person_id)


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 — given a zone
    st.integers(0, TIES_MAX),
    st.text(),
)
def test_a_scan_id_is_a_uuid7_that_holds_its_time_and_tie(at: datetime, tie: int, part: str) -> None:
    made = scan_id(at, tie, part)
    assert UUID7.fullmatch(made)
    assert made == scan_id(at, tie, part)
    assert int(made.replace("-", "")[:12], 16) == us_of(at) // 1_000
    assert int(made[15:18], 16) == tie
    assert made != scan_id(at, tie, part + "x")


def test_at_a_speed_each_scan_waits_until_it_is_due() -> None:
    stays = [stay(f"V{n}", check_in=BASE + timedelta(minutes=n), check_out=None) for n in range(5)]
    clock = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    scans = replay_scans(stays, NOW, channel=Channel.APP)
    due = [(clock[0], batch) for batch in at_speed(scans, 60, now_s=lambda: clock[0], sleep=sleep)]
    assert [at for at, _ in due] == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert [scan for _, batch in due for scan in batch] == scans
    assert sum(slept) == 4.0


def test_full_batches_hold_every_scan_once() -> None:
    scans = replay_scans([stay(f"V{n}") for n in range(1_234)], NOW, channel=Channel.APP)
    batches = list(as_fast_as_possible(scans))
    assert [len(batch) for batch in batches] == [1_000, 1_000, 468]
    assert [scan for batch in batches for scan in batch] == scans


def test_the_presence_data_pairs_back_to_itself() -> None:
    stays = read_stays(VISITS)
    assert len(stays) == 3_085
    assert len({stay.person_id for stay in stays}) == 712
    assert last_event(stays) == datetime(2021, 11, 12, 12, 59, 40, tzinfo=UTC)
    found = sorted(paired(stays), key=key)
    assert found == sorted((msgspec.structs.replace(stay, visit_id="") for stay in stays), key=key)
    known = {line.split(",")[0] for line in FACILITIES.read_text().splitlines()[1:]}
    assert {stay.facility_id for stay in stays} == known


def key(stay: Stay) -> tuple[str, datetime]:
    return stay.person_id, stay.check_in


def stay(visit_id: str, *, person_id: str = "P1", check_in: datetime = BASE, check_out: datetime | None = END) -> Stay:
    return Stay(
        visit_id=visit_id, person_id=person_id, facility_id="F1", zone="", check_in=check_in, check_out=check_out
    )


HEADER = "visit_id,person_id,facility_id,zone,check_in,check_out\n"


@pytest.mark.parametrize(
    ("rows", "line", "field"),
    [
        ("V1,P,F,,2026-01-05T09:00:00+07:00,2026-01-05T08:00:00+07:00", 2, "check_out"),
        ("V1,P,F,,2026-01-05T09:00:00+07:00,\nV1,Q,F,,2026-01-05T09:00:00+07:00,", 3, "visit_id"),
        ("V1,,F,,2026-01-05T09:00:00+07:00,", 2, "person_id"),
        ("V1,P,F,,,", 2, "check_in"),
        ("V1,P,F,,2026-01-05T09:00:00,", 2, "check_in"),
        ("V1,P,F,,2026-01-05T09:00:00+07:00", 2, "check_out"),
    ],
)
def test_a_bad_row_is_named_by_line_and_field(tmp_path: Path, rows: str, line: int, field: str) -> None:
    path = tmp_path / "V.csv"
    path.write_text(HEADER + rows + "\n")
    with pytest.raises(BadInput) as bad:
        read_stays(path)
    assert (bad.value.line, bad.value.field) == (line, field)


def run_replay(tmp_path: Path, gate: SmallGate, *options: str) -> Result:
    (tmp_path / "V.csv").write_text(
        HEADER + "V1,P1,F1,ward,2021-11-01T08:00:00+07:00,2021-11-01T09:00:00+07:00\n"
        "V2,P2,nowhere,,2021-11-01T08:30:00+07:00,\n"
    )
    (tmp_path / "key").write_text("a-key")
    arguments = [str(tmp_path / "V.csv"), "--gate", gate.url, "--key-file", str(tmp_path / "key"), *options]
    return CliRunner().invoke(replay, arguments, obj=Settings(home=tmp_path))


def test_the_command_sends_ends_now_and_says_what_became_of_it(tmp_path: Path) -> None:
    with small_gate() as gate:
        before = datetime.now(UTC)
        done = run_replay(tmp_path, gate)
    assert done.exit_code == 0
    assert done.stdout == "3 accepted, 1 invalid, 0 requests sent again: facility_id is not known (1)\n"
    (body,) = gate.bodies
    ats = [datetime.fromisoformat(scan["at"]) for scan in json.loads(body)]
    assert before <= max(ats) <= datetime.now(UTC)
    assert max(ats) - min(ats) == timedelta(hours=1)


def test_as_recorded_twice_sends_the_same_bytes(tmp_path: Path) -> None:
    with small_gate() as gate:
        run_replay(tmp_path, gate, "--as-recorded")
        run_replay(tmp_path, gate, "--as-recorded", "--as-fast-as-possible")
    first, second = gate.bodies
    assert first == second
    assert json.loads(first)[0]["at"] == "2021-11-01T01:00:00+00:00"
    assert {scan["channel"] for scan in json.loads(first)} == {"import"}


def test_speed_and_as_fast_as_possible_contradict_each_other(tmp_path: Path) -> None:
    with small_gate() as gate:
        done = run_replay(tmp_path, gate, "--speed", "10", "--as-fast-as-possible")
    assert isinstance(done.exception, BadInput)
    assert not gate.bodies
