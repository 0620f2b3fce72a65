"""Whoever is measured does the same work: equal results on a small input, for those the product's packages can run."""

import os
from pathlib import Path

import msgspec
import pytest

from bench.contract import Task, hash_of
from bench.load import Shape, make_scans
from bench.oracle import expected_lines
from bench.place import TEMPLATE, Place
from bench.roster import CONTENDERS, OURS_DURABLE, Contender
from bench.running import Failed, run_durable, run_in_memory
from bench.store import bare_copy, scan_rows
from bench.tools import PEERS, ROOT
from bench.work import Tally
from ops.embedded import Servers
from ops.secrets import ensure_secret
from ops.store import make_database
from ops.topics import make_topics
from schemas.codec import encode
from tests.conftest import TEMPLATE as MIGRATED

SHAPE = Shape(scans=400, facilities=12)
TOPIC = "bench.test"
RUNS_HERE = [one for one in CONTENDERS if one.name in {"ours-memory", "faust-take", "faust-tables"}]


@pytest.fixture(scope="module")
def place(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Place:
    make_database(servers.settings, TEMPLATE, template=MIGRATED)
    address = servers.settings.database.rpartition("/")[0]
    make_topics(msgspec.structs.replace(servers.settings, database=f"{address}/{TEMPLATE}"))
    ensure_secret(servers.settings, "seal", "dead-letters")
    found = Place(servers.settings, tmp_path_factory.mktemp("bench"), os.environ, lambda _: None)
    found.fill(TOPIC, SHAPE)
    found.fill("scan.v1", SHAPE)
    return found


def counted(number: int = SHAPE.scans) -> str:
    tally = Tally()
    tally.add_bodies([encode(scan) for scan in make_scans(SHAPE)][:number])
    return hash_of(tally.lines())


@pytest.mark.parametrize("contender", RUNS_HERE, ids=lambda one: one.name)
def test_in_memory_all_find_the_same(place: Place, contender: Contender) -> None:
    task: Task = place.task(TOPIC, SHAPE.scans)
    run = run_in_memory(contender, task, place.environment(place.settings))
    assert run.result == counted()
    assert run.answer.events == SHAPE.scans


def test_the_worker_stores_what_the_core_computes(place: Place) -> None:
    ours = next(one for one in CONTENDERS if one.name == OURS_DURABLE)
    run = run_durable(ours, place, SHAPE.scans, SHAPE.facilities)
    assert run.result == hash_of(expected_lines(make_scans(SHAPE)))


def test_a_result_that_lacks_one_scan_is_another() -> None:
    assert counted() != counted(SHAPE.scans - 1)
    scans = list(make_scans(SHAPE))
    assert hash_of(expected_lines(scans)) != hash_of(expected_lines(scans[:-1]))


def test_bare_copy_stores_every_row(place: Place) -> None:
    with place.database(SHAPE.facilities) as settings:
        row = (
            f"{'0' * 32}\t{'0' * 31}%d\t1\tentrance\t2026-03-02\t\tt\tunknown\tapp\t{'0' * 32}\t2026-03-02\t\t\tself"
            "\t\t\\N\t\\N\t\t2026-03-02\t\\N\n"
        )
        assert bare_copy(settings, [(row % number).encode() for number in range(5)], indexes=True) > 0
        assert len(scan_rows(settings)) == 5


def test_a_contender_that_dies_is_told_with_its_last_words(place: Place) -> None:
    nobody = Contender("nobody", "Nobody", "memory", "none", module="nobody")
    with pytest.raises(Failed, match=r"nobody gave no answer: .*No module named bench\.contenders\.nobody"):
        run_in_memory(nobody, place.task(TOPIC, 1), place.environment(place.settings))


def test_every_contender_is_there() -> None:
    main = (PEERS / "src/main/java/jejak/bench/Main.java").read_text()
    assert len({one.name for one in CONTENDERS}) == len(CONTENDERS)
    for one in CONTENDERS:
        assert not one.java or f'case "{one.java}"' in main, one.name
        assert not one.module or (ROOT / "bench/contenders" / f"{one.module}.py").is_file(), one.name
        assert one.settings, one.name


def test_licence_headers_stand_in_every_java_file() -> None:
    files = list(Path(PEERS).glob("src/**/*.java"))
    assert files
    assert all(path.read_text().startswith("// SPDX-License-Identifier: Apache-2.0\n") for path in files)
