"""`jejak up` and `jejak doctor`, as an operator uses them: real servers, real services, real signals."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from ops.doctor import Finding, diagnose
from ops.embedded import Servers, running_settings
from ops.embedded.daemon import read_record
from ops.embedded.home import LOOPBACK
from ops.services import environment, gate_url, service_groups
from ops.slots import held_slot
from ops.store import OWNER, transaction
from schemas.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
READY_S = 90


def jejak(home: Path, *command: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *command],
        cwd=ROOT,
        env=os.environ | {"JEJAK_HOME": str(home)} | changed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def up(home: Path, **changed: str) -> Iterator[subprocess.Popen[str]]:
    """Run `jejak up` until it says that it is ready."""
    env = os.environ | {"JEJAK_HOME": str(home), "JEJAK_PORT": "0"} | changed
    command = [sys.executable, "-m", "ops.cli", "up"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if "ready" in line:
                    break
            assert lines[-1].startswith("jejak: ready: http://127.0.0.1:"), lines
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def family_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def wait_for(is_so: Callable[[], bool], timeout_s: float = READY_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_ready(home: Path) -> bool:
    try:
        return httpx.get(f"{gate_url(Settings(home=home))}/readyz", timeout=2).is_success
    except httpx.TransportError:
        return False


def subjects(findings: list[Finding], state: str) -> set[str]:
    return {finding.subject for finding in findings if finding.state == state}


def test_up_runs_everything_restarts_what_is_killed_and_leaves_nothing_behind(new_home: Callable[[], Path]) -> None:
    home = new_home()
    with up(home) as process:
        names = [service.name for group in service_groups(Settings(home=home)) for service in group]
        assert names == ["gate", "visits-0", "traces", "standing", "plausibility", "retention", "relay"]
        records = {name: read_record(home / "run" / f"service-{name}.json") for name in names}
        killed = [record.pid for record in records.values() if record]
        killed += [
            record.pid for name in ("kafka", "postgres") if (record := read_record(home / "run" / f"{name}.json"))
        ]
        assert len(killed) == 9
        assert jejak(home, "up").stderr.endswith(
            f"already running in {home}: stop it first, or set JEJAK_HOME to another folder\n"
        )
        looked = jejak(home, "doctor")
        assert looked.returncode == 0, looked.stdout
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in killed))
        wait_for(lambda: all(read_record(home / "run" / f"service-{name}.json") for name in names) and is_ready(home))
        family = family_of(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not any(member.is_running() for member in family)
    assert not list((home / "run").glob("service-*.json"))
    assert running_settings(Settings(home=home)).kafka == ""


def test_up_with_servers_of_ones_own_starts_none_and_leaves_them_running(
    servers: Servers, installation: Settings, new_home: Callable[[], Path]
) -> None:
    home = new_home()
    elsewhere = {
        "JEJAK_KAFKA": installation.kafka,
        "JEJAK_DATABASE": installation.database,
        "JEJAK_SECRETS": str(installation.secrets_dir),
    }
    with up(home, **elsewhere) as process:
        commands = [" ".join(member.cmdline()) for member in family_of(process.pid)]
        assert len(commands) == 7
        assert all("ops.cli" in command for command in commands)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert all(daemon.is_alive() for daemon in servers.daemons.values())
    assert not (home / "secrets" / "kafka").exists()


def test_up_on_a_port_in_use_is_one_line_and_stops_what_it_started(new_home: Callable[[], Path]) -> None:
    home = new_home()
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        done = jejak(home, "up", JEJAK_PORT=str(port))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert f"port {port} is in use" in last
    assert "JEJAK_PORT" in last
    assert "Traceback" not in done.stderr
    assert not list((home / "run").glob("service-*.json"))
    assert read_record(home / "run" / "kafka.json") is None


def test_doctor_is_content_with_running_servers_and_names_what_is_off(
    servers: Servers, fresh_database: Callable[[], Settings], tmp_path: Path
) -> None:
    well = diagnose(servers.settings)
    assert subjects(well, "wrong") == set()
    assert {"Python", "packages", "broker", "database", "folds"} <= subjects(well, "well")

    odd = msgspec.structs.replace(servers.settings, partitions=5)
    assert subjects(diagnose(odd), "wrong") == {"partitions"}

    empty = fresh_database()
    with transaction(empty, OWNER) as connection:
        connection.cursor().execute("delete from alembic_version")
    assert "database" in subjects(diagnose(empty), "wrong")

    away = msgspec.structs.replace(servers.settings, database="postgresql://127.0.0.1:9/jejak")
    assert any("database" in finding.says for finding in diagnose(away) if finding.state == "wrong")

    with socket.create_server((LOOPBACK, 0)) as taken:
        new = Settings(home=tmp_path / "home", port=taken.getsockname()[1])
        found = diagnose(new)
    assert subjects(found, "wrong") == {"gate"}
    assert {"Java for Kafka", "Kafka", "PostgreSQL"} <= subjects(found, "well")
    assert {"home", "broker", "database"} <= subjects(found, "note")
    assert all(finding.remedy for finding in found if finding.state != "well")


def test_doctor_names_what_stands_still_beside_the_workers_that_run_here(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    metrics = settings.home / "run" / "metrics"
    metrics.mkdir(parents=True)
    for name in ("visits-0", "relay"):
        (metrics / f"{name}.prom").touch()
    os.utime(metrics / "relay.prom", (0, 0))
    assert not {"visits", "relay"} & subjects(diagnose(settings), "wrong")  # nothing runs
    with held_slot(settings, "visits", 0):
        found = diagnose(settings)
        assert {"visits", "relay"} & subjects(found, "wrong") == {"relay"}
        assert any("relay has stood still for" in finding.says for finding in found)
        assert "retention" not in {finding.subject for finding in found}  # it never ran in this home
        (metrics / "relay.prom").touch()
        assert {"visits", "relay"} <= subjects(diagnose(settings), "well")


def test_doctor_finds_a_secret_that_others_may_read_and_ends_with_2(tmp_path: Path) -> None:
    secret = tmp_path / "home" / "secrets" / "kafka" / "gate"
    secret.parent.mkdir(parents=True)
    for folder in (secret.parent, secret.parents[1], secret.parents[2]):
        folder.chmod(0o700)
    secret.write_text("x")
    secret.chmod(0o644)
    done = jejak(tmp_path / "home", "doctor")
    assert done.returncode == 2
    assert str(secret) in done.stdout


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(demo=True, port=0, home=Path("/x y"), workers=3, session_timeout_s=2.5)]
)
def test_settings_reach_a_service_unchanged_and_nothing_else_of_ours_does(settings: Settings) -> None:
    around = {"PATH": "/bin", "JEJAK_KAFKA": "elsewhere:1", "JEJAK_DEMO": "true"}
    given = environment(settings, around)
    assert load_settings(given) == settings
    assert given["PATH"] == "/bin"


def test_migrate_and_topics_work_on_the_servers_of_the_home(servers: Servers) -> None:
    home = servers.settings.home
    assert jejak(home, "migrate").stdout == "nothing to do: the tables are the newest\n"
    assert jejak(home, "topics", "--areas", "36,36.71").stdout == "made 0 topics\n"
    refused = jejak(home, "topics", "--areas", "36.99")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1


def test_commands_without_servers_say_so_in_one_line(tmp_path: Path) -> None:
    for command in ("migrate", "topics"):
        done = jejak(tmp_path / "home", command)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
