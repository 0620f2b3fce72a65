"""A thousand planted NIKs, in bad rows, bodies and bytes of the log: none is found again anywhere in clear."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
import pytest

from ops.commands.up import gate_url
from ops.services import environment
from ops.store import SUPERUSER, autocommit
from producers.follower import follow
from producers.scan_ids import scan_id
from producers.sender import Sender
from schemas import topics
from tests.end_to_end.house import House

NUMBER = 1_000
PLANTED_TOPICS = ("scan.v1", "test-result.v1", "trace-request.v1", "contact-decision.v1")
_digits = re.compile(rb"(?=([0-9]{16}))")
_hex_digits = re.compile(rb"(?=((?:3[0-9]){16}))")


@pytest.fixture(scope="module")
def niks() -> list[str]:
    random = Random(16)
    return [
        f"3671{random.randint(1, 13):02d}{random.randint(1, 28):02d}{random.randint(1, 12):02d}"
        f"{random.randint(0, 99):02d}{number + 1:04d}"
        for number in range(NUMBER)
    ]


def test_no_planted_nik_is_found_in_logs_metrics_stderr_columns_or_topics(
    house: House, niks: list[str], tmp_path: Path
) -> None:
    told = _plant_in_bodies(house, niks[:600])
    planted_offsets = _plant_in_the_log(house, niks[600:900])
    told += _plant_in_files(house, niks[900:], tmp_path)
    house.wait_until(lambda: _dead(house) >= len(planted_offsets))

    with_metrics = [*told, httpx.get(f"{gate_url(house.settings)}/metrics").content]
    _assert_clean(niks, b"\n".join(with_metrics), "what callers were told")
    for path in _files(house.settings.home):
        _assert_clean(niks, path.read_bytes(), path.name)
    for table, text in _columns(house):
        _assert_clean(niks, text, table)
    for name, value in _records(house, planted_offsets):
        _assert_clean(niks, value, name)


def test_what_the_services_write_is_their_owner_s_alone(house: House) -> None:
    written = [
        path
        for name in ("logs", "run", "secrets")
        for path in (house.settings.home / name).rglob("*")
        if path.is_file()
    ]
    assert any(path.name == "visits-0.prom" for path in written)
    assert [path.name for path in written if path.stat().st_mode & 0o077] == []


def test_what_looks_for_niks_finds_one_in_digits_and_one_in_hex(niks: list[str]) -> None:
    for text in (f"x{niks[3]}0".encode(), niks[3].encode().hex().encode()):
        with pytest.raises(AssertionError, match="a log"):
            _assert_clean(niks, text, "a log")


def _assert_clean(niks: list[str], text: bytes, where: str) -> None:
    known = {nik.encode() for nik in niks}
    found = {bytes(match[1]) for match in _digits.finditer(text)} & known
    in_hex = {bytes.fromhex(bytes(match[1]).decode()) for match in _hex_digits.finditer(text)} & known
    assert not found | in_hex, f"{len(found | in_hex)} NIKs in {where}"


def _plant_in_bodies(house: House, niks: list[str]) -> list[bytes]:
    """Send the NIKs as good subjects and in every place of a body where they do not belong; return all answers."""
    url, now = gate_url(house.settings), datetime.now(UTC)
    answers = []
    with httpx.Client(headers={"Authorization": f"Bearer {house.keys['import'].read_text()}"}, timeout=60) as client:

        def scan(nik: str, **more: object) -> dict[str, object]:
            return {
                "scan_id": scan_id(now, 0, nik),
                "subject": {"type": "nik", "value": nik},
                "facility_id": "RS-A",
                "gate": "entrance",
                "at": now.isoformat(),
            } | more

        good = client.post(f"{url}/v1/scans", json=[scan(nik) for nik in niks[:200]])
        assert good.status_code == 200
        assert [result["status"] for result in good.json()["results"]] == ["accepted"] * 200
        answers.append(good.content)
        bad = [
            scan(nik, **{field: nik})
            for nik, field in zip(
                niks[200:],
                ["scan_id", "facility_id", "gate", "at", "role", "channel", "subject", nik_field()] * 100,
                strict=False,
            )
        ]
        many = client.post(f"{url}/v1/scans", json=bad)
        assert {result["status"] for result in many.json()["results"]} == {"invalid"}
        answers.append(many.content)
        for nik, body in zip(niks[200:260], bad, strict=False):
            one = client.post(f"{url}/v1/scans?nik={nik}", json=body)
            assert one.status_code == 422
            answers.append(one.content)
            for path in (f"/v1/facilities/{nik}/occupancy?nik={nik}", f"/v1/traces/{nik}", f"/v1/{nik}"):
                lost = client.get(url + path, headers={"X-Request-Id": nik})
                assert lost.status_code in {403, 404}
                answers.append(lost.content)
            answers.append(client.post(f"{url}/v1/scans", content=f'{{"nik":"{nik}"'.encode()).content)
            answers.append(client.get(url + "/v1/traces", headers={"Authorization": f"Bearer {nik}"}).content)
        wrong = [{"subject": {"type": "nik", "value": nik[:12] + "0000"}} for nik in niks[260:300]]
        answers += [client.post(f"{url}/v1/scans", json=scan(niks[0], **more)).content for more in wrong]
    return answers


def nik_field() -> str:
    """Return a field that no body has."""
    return "nomor_induk_kependudukan"


def _plant_in_the_log(house: House, niks: list[str]) -> set[tuple[str, int, int]]:
    """Write raw records with NIKs in value and key, past the gate; return where they lie."""
    random, places = Random(3), set()
    shapes = ['{{"event":"scan","nik":"{0}"}}', "{0}", '{{"event":"{0}"}}', '{{"{0}":1}}', '[["{0}"]]']
    with Sender(house.settings, "gate") as sender:
        for number, nik in enumerate(niks):
            topic = PLANTED_TOPICS[number % len(PLANTED_TOPICS)]
            value = shapes[number % len(shapes)].format(nik).encode()
            placed = sender.send(topic, nik.encode(), value, random.randrange(house.settings.partitions)).get(10)
            places.add((topic, placed.partition, placed.offset))
    return places


def _plant_in_files(house: House, niks: list[str], folder: Path) -> list[bytes]:
    """Give commands files whose bad cells are NIKs; return what they print."""
    said = []
    scans = "scan_id,person_id,facility_id,kind,zone,gate,at,admitted\n"
    visits = "visit_id,person_id,facility_id,zone,check_in,check_out\n"
    places = "facility_id,name,kind,owner,time_zone,district\n"
    for number, nik in enumerate(niks[:8]):
        rows = {
            "pair": scans + ",".join(nik if column == number % 8 else "x" for column in range(8)) + "\n",
            "replay": visits + ",".join(nik if column == number % 6 else "x" for column in range(6)) + "\n",
            "facilities": places + ",".join(nik if column == number % 6 else "x" for column in range(6)) + "\n",
        }
        for command, text in rows.items():
            path = folder / f"{command}-{number}.csv"
            path.write_text(text)
            words = {
                "pair": ["pair", "--scans", str(path), "--out", str(folder / "out")],
                "replay": ["replay", str(path), "--key-file", str(house.keys["import"])],
                "facilities": ["facilities", "import", str(path)],
            }[command]
            done = subprocess.run(
                [sys.executable, "-m", "ops.cli", *words],
                env=environment(house.settings, os.environ),
                capture_output=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 2, done.stderr
            said.append(done.stdout + done.stderr)
    return said


def _dead(house: House) -> int:
    return int(house.ask("select count(*) from dead_letter")[0][0])


def _files(home: Path) -> Iterator[Path]:
    """Yield every file of the home: logs, records, the database's own files and its log of changes; not Kafka's."""
    yield from (path for path in home.rglob("*") if path.is_file() and "kafka" not in path.relative_to(home).parts)


def _columns(house: House) -> Iterator[tuple[str, bytes]]:
    with autocommit(house.settings, SUPERUSER) as conn, conn.cursor() as cur:
        cur.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables"
            " where table_schema in ('public', 'vault') and table_type = 'BASE TABLE'"
        )
        tables = [row[0] for row in cur.fetchall()]
        assert "vault.person" in tables
        for table in tables:
            cur.execute(f"select t::text from {table} t")  # noqa: S608 — our own tables' names
            yield table, "\n".join(row[0] for row in cur.fetchall()).encode()


def _records(house: House, but: set[tuple[str, int, int]]) -> Iterator[tuple[str, bytes]]:
    """Yield key and value of every record of every topic, but those that were planted in the log itself."""
    names = [topic.name for topic in topics.TOPICS] + [topics.alert_topic(office).name for office in ("p36", "d3671")]
    for name in names:
        quiet = _Quiet()
        for record in follow(house.settings, name, "admin", stop=quiet.is_over):
            quiet.saw_one()
            if (record.topic, record.partition, record.offset) not in but:
                yield name, (record.key or b"") + b" " + (record.value or b"")


class _Quiet:
    """Says that a topic is read to its end once nothing came for some polls."""

    def __init__(self) -> None:
        self._polls = 0

    def saw_one(self) -> None:
        self._polls = 0

    def is_over(self) -> bool:
        self._polls += 1
        return self._polls > 6
