"""The load, the pace, the percentiles, and the page."""

import asyncio
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from bench import pace
from bench.contract import Stopwatch
from bench.figures import median_ratio
from bench.goals import distance, found
from bench.growth import rate_between
from bench.latency import Seen
from bench.latency_table import milliseconds, trend
from bench.load import Shape, make_scans
from bench.peak import Plan as PeakPlan
from bench.peak import _number, trends
from bench.report import PAGE, PLOTS, page
from bench.streams import check_names
from schemas.codec import Codec, encode
from schemas.errors import BadInput
from schemas.events import Gate, Scan


def test_the_load_is_the_same_for_the_same_arguments_and_usable() -> None:
    shape = Shape(scans=2_000, facilities=20)
    scans = list(make_scans(shape))
    assert len(scans) == 2_000
    assert scans == list(make_scans(shape))
    assert scans != list(make_scans(shape, seed=2))
    assert list(make_scans(shape, skip=1_990)) == scans[1_990:]
    assert [Codec(Scan).decode(encode(scan)) for scan in scans] == scans
    assert len({(scan.person_id, scan.scan_id) for scan in scans}) == 2_000


def test_the_load_comes_in_the_order_of_time_and_holds_every_case() -> None:
    scans = list(make_scans(Shape(scans=5_000)))
    assert all(one.at <= other.at for one, other in pairwise(scans))
    assert {scan.gate for scan in scans} == {Gate.ENTRANCE, Gate.EXIT}
    assert {scan.admitted for scan in scans} == {True, False}
    ins = sum(scan.gate is Gate.ENTRANCE for scan in scans)
    assert 0.5 < ins / len(scans) < 0.6  # forgotten exits, second scans


def test_a_stopwatch_knows_the_second_half() -> None:
    watch = Stopwatch(10)
    watch.start()
    assert not watch.count(4)
    assert not watch.count(4)
    assert watch.count(2)
    answer = watch.answer()
    assert answer.events == 10
    assert 0 < answer.second_half_s < answer.seconds


def test_percentiles_are_the_values_that_so_many_do_not_exceed() -> None:
    table = milliseconds([number / 1_000 for number in range(1, 1_001)])
    assert table == {"p50": 501.0, "p95": 951.0, "p99": 991.0, "p99.9": 1_000.0, "max": 1_000.0}
    assert milliseconds([]) == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "p99.9": 0.0, "max": 0.0}


def test_a_scan_is_visible_when_the_position_is_first_seen_behind_it() -> None:
    seen = Seen()
    seen.note(1.0, {0: 5, 1: 0})
    seen.note(2.0, {0: 5, 1: 3})
    seen.note(3.0, {0: 9, 1: 3})
    assert [seen.visible(0, offset) for offset in (0, 4, 5, 8, 9)] == [1.0, 1.0, 3.0, 3.0, None]
    assert seen.visible(1, 2) == 2.0


def test_a_contender_nobody_knows_is_refused_by_name() -> None:
    check_names(("memory", "ours-durable"))
    with pytest.raises(BadInput) as caught:
        check_names(("memory", "flink"))
    assert caught.value.field == "--only"


def test_a_ratio_is_the_median_over_the_pairs() -> None:
    rates = {"ours": [100.0, 300.0, 200.0], "theirs": [100.0, 100.0, 100.0]}
    assert median_ratio(rates, "ours", "theirs") == 2.0
    assert median_ratio(rates, "ours", "nobody") is None
    assert rate_between([(0.0, 0), (1.0, 50), (2.0, 150)], 50, 150) == 100.0
    assert rate_between([(0.0, 0), (1.0, 100), (3.0, 200)], 50, 150) == pytest.approx(100 / 1.5)
    assert rate_between([(2.0, 100)], 20, 60) == pytest.approx(50.0)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_generator_sends_each_scan_once_and_counts_every_answer(tmp_path: Path, batch: int) -> None:
    bodies: list[bytes] = []
    statuses = iter([200, 503] + [200] * 100)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
            except asyncio.IncompleteReadError:
                break
            bodies.append(await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])))
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % next(statuses))
        writer.close()

    async def run() -> pace.Answer:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        task = pace.Task(
            host="127.0.0.1",
            port=server.sockets[0].getsockname()[1],
            key_file=str(tmp_path / "key"),
            rate=200,
            requests=20,
            batch=batch,
            first=100,
            persons=7,
            facilities=3,
            epoch_ms=1_772_409_600_000,
            monotonic_s=0,
            connections=2,
        )
        (tmp_path / "task").write_bytes(msgspec.json.encode(task))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.pace", str(tmp_path / "task")), stdout=subprocess.PIPE
        )
        out, _ = await process.communicate()
        server.close()
        return msgspec.json.decode(out, type=pace.Answer)

    (tmp_path / "key").write_text("secret")
    found = asyncio.run(run())
    assert found.answers == {"200": 19, "503": 1}
    sent = [one for body in bodies for one in _scans(body)]
    assert sorted(int(scan["scan_id"][24:], 16) for scan in sent) == list(range(100, 100 + 20 * batch))
    assert len(bodies) == 20


def _scans(body: bytes) -> list[dict[str, str]]:
    found = msgspec.json.decode(body)
    return found if isinstance(found, list) else [found]


def test_a_scan_of_the_generator_is_found_again_by_its_number() -> None:
    (scan,) = islice(make_scans(Shape(scans=1)), 1)
    numbered = msgspec.structs.replace(scan, scan_id="019cac5d-3400-7000-8000-0000000004d2")
    assert _number(encode(numbered)) == 1_234


def test_the_page_says_what_the_results_say() -> None:
    text, plots = page()
    assert PAGE.read_text() == text, "run: ./jejak bench report"
    for name, svg in plots.items():
        assert (PLOTS / name).read_text() == svg
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 — our own


@pytest.mark.parametrize(
    ("goal", "figure", "said"),
    [
        ("≥ 1.6", 1.6, "reached"),
        ("≥ 5,000", 985, "0.197 times the goal"),
        ("≤ 250 ms", 250.1, "just missed"),
        ("≤ 50 ms", None, "not reached"),
        ("> 1", 1.0, "just missed"),
        ("≤ 0", 2, "2 too many"),
        ("–", 3.0, ""),
    ],
)
def test_it_is_said_how_far_a_figure_is_from_its_goal(goal: str, figure: float | None, said: str) -> None:
    assert distance(goal, figure) == said


def test_the_gate_s_goals_are_held_against_the_rates_that_it_kept_up_with() -> None:
    def step(rate: int, *, kept: bool) -> dict[str, object]:
        return {"scans_s": rate, "achieved_scans_s": rate - 1, "kept": kept, "latency_ms": {"p99": rate / 100}}

    single = [step(2_000, kept=True), step(2_500, kept=True), step(5_000, kept=False)]
    told = [(one.figure, one.row()[3]) for one in found("gate", {"single": single, "batched": []})]
    assert told == [(2_499, "0.5 times the goal"), (25, "reached"), (None, "not reached"), (None, "not reached")]
    assert found("latency", {}) == []


def test_a_queue_that_grows_is_not_called_flat_and_one_that_sways_is() -> None:
    plan = PeakPlan(rate=1_000, seconds=600, batch=1)
    sways = [{"at": float(at), "outbox": 50 + at % 7, "accepted_not_folded": 100 - at % 5} for at in range(600)]
    grows = [one | {"outbox": one["at"]} for one in sways]
    assert all(it["flat"] for it in trends(sways, plan).values())
    found = trends(grows, plan)
    assert (found["outbox"]["flat"], found["accepted_not_folded"]["flat"]) == (False, True)
    assert found["outbox"]["rise"] == pytest.approx(594, abs=2)
    assert trend([]) == trend([(1.0, 2.0)]) == 0.0
