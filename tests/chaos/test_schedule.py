"""The schedule is the seed's, and the load too; so what went wrong once can go wrong again."""

from collections import Counter
from datetime import datetime

import pytest

from ops.chaos import load
from ops.chaos.schedule import KINDS, QUIET_S, schedule
from ops.commands.chaos import read_kinds
from schemas.errors import BadInput
from tests.chaos.small import UNTIL


def test_the_same_seed_is_the_same_schedule_and_another_is_not() -> None:
    made = [schedule(seed, 600, KINDS, kill_every_s=6, poison=1_000) for seed in (7, 7, 8)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_faults_come_in_order_and_leave_the_ends_in_peace() -> None:
    faults = schedule(7, 600, KINDS, kill_every_s=6, poison=1_000)
    assert [one.at_s for one in faults] == sorted(one.at_s for one in faults)
    assert faults[0].at_s >= QUIET_S
    assert faults[-1].at_s <= 600 - QUIET_S


def test_only_what_was_asked_for_happens_and_all_of_it() -> None:
    faults = schedule(7, 600, ("kill", "net"), kill_every_s=6, poison=1_000)
    assert {one.kind for one in faults} == {"kill", "net"}
    everything = schedule(7, 200, KINDS, kill_every_s=6, poison=1_000)
    assert {one.kind for one in everything} == set(KINDS) - {"dup", "late"}


def test_there_are_as_many_kills_and_as_much_poison_as_asked_for() -> None:
    faults = schedule(7, 60, KINDS, kill_every_s=60, poison=999, kills_min=40)
    assert sum(len(one.targets) for one in faults if one.kind == "kill") >= 40
    assert sum(int(one.how) for one in faults if one.kind == "poison") >= 999


def test_everything_is_killed_and_some_of_it_together() -> None:
    kills = [one for one in schedule(7, 3_000, ("kill",), kill_every_s=6, poison=1) if one.kind == "kill"]
    targets = Counter(target for one in kills for target in one.targets)
    assert targets.keys() == {"visits", "gate", "relay", "traces", "standing", "Kafka", "PostgreSQL"}
    assert any(len(one.targets) == 2 for one in kills)


def test_a_fault_nobody_knows_is_refused_by_name() -> None:
    assert read_kinds("net, kill") == ("net", "kill")
    with pytest.raises(BadInput) as caught:
        read_kinds("kill,flood")
    assert caught.value.field == "--faults"


def test_a_persons_scans_are_the_seeds_and_none_is_later_than_now() -> None:
    for number in range(120):
        scans = load.person_scans(3, number, UNTIL)
        assert scans == load.person_scans(3, number, UNTIL)
        assert all(scan["at"] <= load.instant_text(UNTIL) for scan in scans if scan["at"].endswith("+00:00"))


def test_two_persons_share_a_scan_id_and_nobody_has_one_twice() -> None:
    owners: dict[str, set[str]] = {}
    for number in range(102):
        for scan in load.person_scans(3, number, UNTIL):
            mine = owners.setdefault(scan["scan_id"], set())
            assert scan["subject"]["value"] not in mine
            mine.add(scan["subject"]["value"])
    assert max(len(some) for some in owners.values()) == 2


def test_another_clock_writes_the_same_instant() -> None:
    (scan, *_) = load.person_scans(3, 2, UNTIL)
    other = load.rewritten(scan)
    assert other["at"] != scan["at"]
    assert datetime.fromisoformat(other["at"]) == datetime.fromisoformat(scan["at"])
