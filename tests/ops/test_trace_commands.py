"""The commands around a trace, on a real installation: shown, approved, decided, and read by the office it concerns."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from pathlib import Path

import networkx as nx
import pytest

from producers.follower import follow
from producers.sender import Sender
from schemas.errors import Refused
from schemas.settings import Settings
from tests.commands import environment, jejak, wait_until
from tests.portal.conftest import Gate, new_key
from tests.streams.flow import ROOT, ask, running
from tests.streams.test_traces import send, taken
from tests.tracing.ward import Town, positive, request, somebody, town_in

_persons = count(5000)
_hours = count(1)


@pytest.fixture(scope="module")
def town(installation: Settings) -> Iterator[Town]:
    with (
        town_in(lambda: installation) as made,
        running(installation, "worker", "traces"),
        running(installation, "relay"),
    ):
        yield made


@pytest.fixture
def case(town: Town) -> str:
    """Return the id of a case with one candidate, told to its offices."""
    return told_case(town)


def told_case(town: Town) -> str:
    person, other = somebody(next(_persons)), somebody(next(_persons))
    hour = next(_hours)  # of its own, so that no two cases meet
    for who, minute in ((person, 40), (other, 31)):
        town.stay(who, "PKM-1", f"2026-11-09 {hour:02d}:00", f"2026-11-09 {hour:02d}:{minute}")
    before = taken(town.settings)
    send(town.settings, [positive(person)])
    wait_until(lambda: taken(town.settings) > before)
    wait_until(lambda: ask(town.settings, "select count(*) from outbox where published_at is null") == [(0,)])
    return str(town.case(person)[0])


def test_an_office_reads_its_alerts_once_each_with_its_own_credentials(town: Town, case: str) -> None:
    ((trace_ref,),) = ask(
        town.settings, "select ref from reference where case_id = %s and office = 'd3671' and person is null", case
    )
    done = jejak(town.settings, "alerts", "--office", "36.71", "--once", "--json")
    assert done.returncode == 0, done.stderr
    own = [alert for alert in map(json.loads, done.stdout.splitlines()) if alert["subject"] == trace_ref]
    assert [alert["data"]["action"] for alert in own] == ["summary", "added"]
    with Sender(town.settings, "relay") as relay:  # a relay that was killed sends again
        value = json.dumps(own[1]).encode()
        relay.confirm([relay.send("alert.d3671", trace_ref.encode(), value, 0)], 30)
    again = jejak(town.settings, "alerts", "--office", "36.71", "--once", "--json")
    assert again.stdout == done.stdout
    lines = jejak(town.settings, "alerts", "--office", "3671", "--once").stdout.splitlines()
    (added,) = [line for line in lines if line.startswith(f"BARU (added) {trace_ref[:8]}")]
    assert "Puskesmas Cipondoh 2026-11-09, 30-59 menit (min), peluang (probability) " in added
    assert " %, 1 meeting" in added
    assert [line for line in lines if line.startswith(f"RINGKASAN (summary) {trace_ref[:8]}")]


def test_an_office_that_waits_is_told_as_it_happens_and_leaves_in_peace(town: Town) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "alerts", "--office", "36"],
        cwd=ROOT,
        env=environment(town.settings),
        stdout=subprocess.PIPE,
        text=True,
    ) as office:
        assert office.stdout is not None
        case_id = told_case(town)
        ((ref,),) = ask(
            town.settings, "select ref from reference where case_id = %s and office = 'p36' and person is null", case_id
        )
        assert any(ref[:8] in line for line in iter(office.stdout.readline, ""))
        office.send_signal(signal.SIGINT)
        assert office.wait(20) == 0


def test_another_offices_topic_is_refused(town: Town, case: str) -> None:
    assert case
    with pytest.raises(Refused):
        next(follow(town.settings, "alert.d3171", "office-d3671", stop=lambda: False))
    with pytest.raises(Refused):
        next(follow(town.settings, "test-result.v1", "office-d3671", stop=lambda: False))


@pytest.mark.parametrize(
    ("office", "words"),
    [("73.71", "jejak topics --areas 73.71"), ("Tangerang", "field --office"), ("36.7", "field --office")],
)
def test_an_office_without_access_is_told_how_to_get_it(town: Town, office: str, words: str) -> None:
    done = jejak(town.settings, "alerts", "--office", office, "--once")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_trace_is_shown_ranked_and_explained_and_the_look_is_written_down(
    town: Town, case: str, tmp_path: Path
) -> None:
    graph_path = tmp_path / "chain.graphml"
    done = jejak(town.settings, "trace-show", case, "--json", "--graph", str(graph_path), "--reason", "a test")
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    (contact,) = view["contacts"]
    assert (contact["rank"], contact["overlap_minutes"]) == (1, 31.0)
    assert 0 < contact["probability"] < 1
    graph = nx.read_graphml(BytesIO(graph_path.read_bytes()))
    assert graph.edges[view["case_ref"], contact["contact_ref"]]["overlap_minutes"] == 31.0
    assert ask(town.settings, "select action, reason from audit where object = %s", case) == [("trace shown", "a test")]
    shown = " ".join(jejak(town.settings, "trace-show", case).stdout.split())
    assert f"{case} open, konfirmasi" in shown
    assert "31.000" in shown
    missing = jejak(town.settings, "trace-show", "K999999")
    assert (missing.returncode, missing.stderr) == (2, "jejak: no such case\n")


def test_the_days_looked_at_are_shown_by_the_clocks_of_the_facilities(town: Town) -> None:
    person = somebody(next(_persons))
    for facility_id in ("PKM-1", "RS-9"):
        town.stay(person, facility_id, "2026-11-10 20:00", "2026-11-10 21:00")
    before = taken(town.settings)
    send(town.settings, [positive(person)])
    wait_until(lambda: taken(town.settings) > before)
    shown = " ".join(jejak(town.settings, "trace-show", str(town.case(person)[0])).stdout.split())
    assert "looked at 08 Nov 2026 00:00 to 25 Nov 2026 00:00 WIB (Asia/Jakarta)" in shown
    assert "looked at 08 Nov 2026 00:00 to 25 Nov 2026 00:00 WIT (Asia/Jayapura)" in shown


def test_a_second_person_approves_and_people_decide_through_the_gate(town: Town, tmp_path: Path) -> None:
    person, other = somebody(next(_persons)), somebody(next(_persons))
    for who in (person, other):
        town.stay(who, "PKM-2", "2026-11-12 08:00", "2026-11-12 09:00")
    send(town.settings, [request(person, by="dr sari", date_onset=positive(person).date_onset)])
    wait_until(lambda: len(ask(town.settings, "select 1 from \"case\" where requested_by = 'dr sari'")) == 1)
    case_id = town.case(person)[0]
    gate = Gate(town.settings, tmp_path).start()
    try:
        keys = {}
        for name in ("dr sari", "dr budi"):
            keys[name] = tmp_path / f"{name}.key"
            keys[name].write_text(new_key(town.settings, "epidemiologist", area="36", principal=name))
        spoken = ("--gate", gate.url, "--key-file")
        own = jejak(town.settings, "approve", case_id, "--reason", "mine", *spoken, str(keys["dr sari"]))
        assert (own.returncode, own.stdout) == (2, "")
        second = jejak(town.settings, "approve", case_id, "--reason", "seen", *spoken, str(keys["dr budi"]))
        assert second.returncode == 0, second.stderr
        wait_until(lambda: town.case(person)[1] == "open" and bool(_refs(town, case_id)))
        (ref,) = _refs(town, case_id)
        done = jejak(
            town.settings, "decide", case_id, ref, "confirmed", "--reason", "call", *spoken, str(keys["dr budi"])
        )
        assert done.returncode == 0, done.stderr
        wait_until(
            lambda: ask(town.settings, "select count(*) from person_status where case_id = %s", case_id) == [(1,)]
        )
    finally:
        gate.stop()


def test_what_other_rules_would_find_is_a_table_files_and_an_entry_in_the_audit(
    town: Town, case: str, tmp_path: Path
) -> None:
    asked = ("whatif", case, "--minutes", "5,15,60", "--tail", "0,30", "--reason", "planning")
    done = jejak(town.settings, *asked, "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [(one["minutes"], one["tail_minutes"], one["contacts"]) for one in answer["answers"]] == [
        (5, 0, 1),
        (5, 30, 1),
        (15, 0, 1),
        (15, 30, 1),
        (60, 0, 0),
        (60, 30, 0),
    ]
    assert json.loads((tmp_path / "out" / "whatif.json").read_text()) == answer
    assert len((tmp_path / "out" / "whatif.csv").read_text().splitlines()) == 1 + 6
    offices = (tmp_path / "out" / "offices.csv").read_text().splitlines()
    assert offices[1:3] == ["kmk-4641-2021,visit,5,0,d3671,1", "kmk-4641-2021,visit,5,0,p36,1"]
    assert (tmp_path / "out" / "whatif.svg").read_text().startswith("<svg")
    assert ask(town.settings, "select reason from audit where action = 'what-if asked' and object = %s", case) == [
        ("planning",)
    ]
    table = jejak(town.settings, "whatif", case)
    assert table.returncode == 0
    assert "kmk-4641-2021" in table.stdout


def test_a_what_if_that_cannot_be_asked_names_the_option_and_leaves_nothing(
    town: Town, case: str, tmp_path: Path
) -> None:
    for option, value in (
        ("--minutes", "5,x"),
        ("--tail", "-1"),
        ("--rule", "nobody-1999"),
        ("--as-of", "yesterday"),
        ("--as-of", "2020-01-01T00:00Z"),
        ("--out", str(tmp_path / "file")),
    ):
        (tmp_path / "file").write_text("mine")
        done = jejak(town.settings, "whatif", case, option, value)
        assert done.returncode == 2, (option, done.stdout)
        assert option.removeprefix("--") in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def _refs(town: Town, case_id: str) -> list[str]:
    rows = ask(
        town.settings, "select contact_ref from candidate join trace using (trace_id) where case_id = %s", case_id
    )
    return [row[0] for row in rows]
