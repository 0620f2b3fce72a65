"""What the witness wrote down, and what is made of it: ok, fail, unknown, and a line that was cut off."""

from pathlib import Path

from ops.chaos import load
from ops.chaos.compare import Stored, Verdict, join, judge
from ops.chaos.diary import FAIL, OK, UNKNOWN, Diary, read_lines
from ops.chaos.report import percentile
from ops.chaos.told import STRENGTH, read_told, sent_of, who_of
from tests.chaos.small import UNTIL

SCANS = load.person_scans(1, 3, UNTIL)
PERSON = "00000000-0000-0000-0000-000000000001"


def write(path: Path, *answers: str) -> None:
    diary = Diary(path)
    diary.begin(places=[[p.facility_id, p.kind, p.time_zone, p.district] for p in load.PLACES])
    for scan, answer in zip(SCANS, answers, strict=False):
        number = diary.ask("scans", [scan])
        if answer:
            diary.answer(number, answer, r="1" if answer == OK else "0")
    diary.close()


def test_the_best_answer_to_a_scan_counts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    diary = Diary(path)
    for got, mark in ((UNKNOWN, "0"), (OK, "1"), (UNKNOWN, "0")):
        number = diary.ask("scans", SCANS[:1])
        diary.answer(number, got, r=mark)
    number = diary.ask("scans", SCANS[1:3])
    diary.answer(number, OK, r="10")  # of one request one was accepted, one was invalid
    diary.close()
    told = read_told([path])
    assert [told.how[who_of(scan)] for scan in SCANS[:3]] == [STRENGTH[OK], STRENGTH[OK], STRENGTH[FAIL]]
    assert (told.records["scan.v1"], told.maybe["scan.v1"]) == (2, 2)


def test_a_request_whose_answer_was_never_written_is_unknown(tmp_path: Path) -> None:
    write(tmp_path / "log", OK, "")
    assert read_told([tmp_path / "log"]).how[who_of(SCANS[1])] == STRENGTH[UNKNOWN]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, OK, OK)
    whole = len(list(read_lines(path)))
    with path.open("ab") as file:
        file.write(b'{"n":9,"got":"o')
    assert len(list(read_lines(path))) == whole


def test_lost_double_and_open_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "log", OK, OK, FAIL, UNKNOWN)
    stored = Stored(partitions=12)
    for number in (0, 2, 3):
        stored.scans[PERSON, SCANS[number]["scan_id"]] = (*sent_of(SCANS[number]), True)
    verdict = judge(read_told([tmp_path / "log"]), stored)
    scans = [line for line in verdict.differences if line.startswith("scan ")]
    assert len(scans) == 2
    assert (verdict.lost, verdict.double) == (1, 1)
    assert any(SCANS[1]["scan_id"] in line and "is missing" in line for line in scans)
    assert any(SCANS[2]["scan_id"] in line and "should not be there" in line for line in scans)


def test_a_join_names_the_row_and_the_column() -> None:
    verdict = Verdict()
    join(verdict, "hour", ("arrivals", "departures"), {("A", 1): (1, 2), ("B", 1): (0, 0)}, {("A", 1): (1, 3)})
    assert verdict.differences == ["hour B 1: is missing", "hour A 1: departures is 3, must be 2"]


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile([], 0.95) == 0.0
    assert percentile(range(100), 0.95) == 95
