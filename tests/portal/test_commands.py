"""`jejak gate`, `jejak keys`, `jejak facilities` as a person types them: one clear line for what is wrong, exit 2."""

import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from ops.store import OPERATOR, transaction
from portal import store
from schemas.settings import Settings
from tests.commands import jejak
from tests.portal.conftest import Gate, new_key, scan

HEADER = "facility_id,name,kind,owner,time_zone,district\n"


def refused(run: subprocess.CompletedProcess[str]) -> str:
    """Return the one line a refused command says."""
    assert run.returncode == 2, run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("jejak: ")
    return run.stderr


@pytest.fixture(scope="module")
def settings(fresh_database: Callable[[], Settings]) -> Settings:
    return msgspec.structs.replace(fresh_database(), port=0, demo=False)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_facilities_come_from_a_file_and_may_change_name_but_not_kind(settings: Settings, tmp_path: Path) -> None:
    rows = (
        "F-1,Puskesmas Satu,puskesmas,government,Asia/Jakarta,36.71\nF-2,Lab,laboratory,private,Asia/Jayapura,91.71\n"
    )
    first = jejak(settings, "facilities", "import", write(tmp_path / "a.csv", HEADER + rows))
    assert (first.returncode, first.stdout) == (0, "2 facilities\n")
    renamed = jejak(settings, "facilities", "import", write(tmp_path / "a.csv", HEADER + rows.replace("Satu", "1")))
    assert renamed.returncode == 0
    assert "Puskesmas 1" in jejak(settings, "facilities", "list").stdout
    moved = HEADER + "F-3,New,clinic,private,Asia/Jakarta,36.71\n" + rows.replace("Asia/Jakarta", "Asia/Makassar")
    error = refused(jejak(settings, "facilities", "import", write(tmp_path / "a.csv", moved)))
    assert "line 3" in error
    assert "time_zone" in error
    with transaction(settings, OPERATOR) as conn:
        assert [row.facility_id for row in store.list_facilities(conn)] == ["F-1", "F-2"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEADER + "F-9,x,hotel,private,Asia/Jakarta,36.71\n", "line 2, field kind"),
        (HEADER + "F-9,x,clinic,nobody,Asia/Jakarta,36.71\n", "line 2, field owner"),
        (HEADER + "F-9,x,clinic,private,Asia/Atlantis,36.71\n", "line 2, field time_zone"),
        (HEADER + "F-9,x,clinic,private,Asia/Jakarta,99.99\n", "line 2, field district"),
        (HEADER + "F-9,x,clinic,private,Asia/Jakarta,36\n", "line 2, field district"),
        (HEADER + ",x,clinic,private,Asia/Jakarta,36.71\n", "line 2, field facility_id"),
        (HEADER + "F-9, ,clinic,private,Asia/Jakarta,36.71\n", "line 2, field name"),
        (HEADER + "F-9,x,clinic,private,Asia/Jakarta\n", "line 2, field district"),
        (HEADER + 2 * "F-9,x,clinic,private,Asia/Jakarta,36.71\n", "line 3, field facility_id"),
        (HEADER.replace("kind", "sort"), "field kind"),
        ("", "line 1"),
    ],
)
def test_a_bad_file_of_facilities_is_refused_whole_with_its_line(
    settings: Settings, tmp_path: Path, text: str, where: str
) -> None:
    assert where in refused(jejak(settings, "facilities", "import", write(tmp_path / "bad.csv", text)))
    with transaction(settings, OPERATOR) as conn:
        assert "F-9" not in {row.facility_id for row in store.list_facilities(conn)}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--role", "gate"], "--facility"),
        (["--role", "laboratory"], "--facility"),
        (["--role", "laboratory", "--area", "36"], "--facility"),
        (["--role", "epidemiologist"], "--area"),
        (["--role", "office", "--facility", "F-1"], "--facility"),
        (["--role", "office", "--area", "Banten"], "--area"),
        (["--role", "gate", "--facility", "F-1", "--area", "36"], "--area"),
        (["--role", "gate", "--facility", "F-404"], "facility"),
    ],
)
def test_a_key_without_the_scope_of_its_role_is_not_made(settings: Settings, options: list[str], field: str) -> None:
    assert field in refused(jejak(settings, "keys", "create", "--name", "Gate 1", *options))


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(gate: Gate) -> None:
    made = jejak(gate.settings, "keys", "create", "--role", "gate", "--facility", "RS-A", "--name", "Pintu utama")
    key = made.stdout.strip()
    assert made.stdout == f"{key}\n"
    assert key not in made.stderr
    with gate.client(key) as client:
        assert client.post("/v1/scans", json=scan()).status_code == 200
        listed = jejak(gate.settings, "keys", "list").stdout
        assert "Pintu utama" in listed
        assert key not in listed
        key_id = made.stderr.split()[1]
        assert jejak(gate.settings, "keys", "revoke", key_id).stdout == "revoked\n"
        assert client.post("/v1/scans", json=scan()).status_code == 401
    assert "keys list" in refused(jejak(gate.settings, "keys", "revoke", "nokey"))


def test_a_port_in_use_is_one_clear_line(gate: Gate) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refused(jejak(msgspec.structs.replace(gate.settings, port=port), "gate"))
    assert "JEJAK_PORT" in error
    assert str(port) in error


def test_the_gate_starts_only_with_the_installation_it_belongs_to(gate: Gate, tmp_path: Path) -> None:
    settings = gate.settings
    error = refused(jejak(msgspec.structs.replace(settings, partitions=settings.partitions + 1), "gate"))
    assert "partitions" in error
    assert "JEJAK_HOST" in refused(jejak(msgspec.structs.replace(settings, host="0.0.0.0"), "gate"))  # noqa: S104 — refused
    address = settings.database.rpartition("/")[0]
    refused(jejak(msgspec.structs.replace(settings, database=f"{address}/nowhere"), "gate"))
    assert "JEJAK_SECRETS" in refused(jejak(msgspec.structs.replace(settings, secrets=str(tmp_path)), "gate"))


def test_beyond_loopback_the_gate_does_not_start_with_anything_of_the_demo(gate: Gate) -> None:
    private = msgspec.structs.replace(gate.settings, host="0.0.0.0", private_network=True)  # noqa: S104 — refused
    assert private.demo
    assert "JEJAK_DEMO" in refused(jejak(private, "gate"))
    key = new_key(gate.settings, "office", area="all", demo=True)
    assert "demo keys" in refused(jejak(msgspec.structs.replace(private, demo=False), "gate"))
    assert gate.client(key).get("/v1/facilities/RS-A/occupancy").status_code == 200


def test_told_to_stop_the_gate_answers_what_it_has_begun_and_ends_well(gate: Gate) -> None:
    home = gate.settings.home / "stopping"
    home.mkdir()
    other = Gate(gate.settings, home).start()
    key = new_key(gate.settings, "gate", facility="RS-A")
    statuses: list[int] = []

    def send() -> None:
        try:
            with other.client(key) as client:
                while True:
                    statuses.append(client.post("/v1/scans", json=[scan()] * 100).status_code)
        except httpx.TransportError:
            statuses.append(0)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    while statuses.count(200) < 8:
        pass
    assert other.stop() == 0
    for sender in senders:
        sender.join(20)
    assert set(statuses) <= {200, 0}
    assert not (home / "run" / "gate.json").exists()
    assert b"Traceback" not in other.stderr.read_bytes()
