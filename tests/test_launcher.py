"""The launcher on a small project of its own: what a newcomer's first command does, and what it does when it cannot."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ANSWER = """
import importlib.util, json, os, sys
names = ("JEJAK_HOME", "PYTHONPATH")
print(json.dumps({
    "cwd": os.getcwd(), "arguments": sys.argv[1:], "python": sys.executable,
    "has": [name for name in ("iniconfig", "pluggy") if importlib.util.find_spec(name)],
    **{name: os.environ.get(name) for name in names},
}))
"""
NOTICE = "jejak: installing requirements/{}.txt into .venv"


def locked(*names: str) -> str:
    """Return the lines of `requirements/test.txt` that pin these packages, hashes included."""
    lock = (ROOT / "requirements/test.txt").read_text()
    found = {name: re.search(rf"^{name}==.*\\\n(?:    --hash=.*\n)+", lock, re.MULTILINE) for name in names}
    return "".join(match.group().rstrip().rstrip("\\") + "\n" for match in found.values() if match)


def lay(folder: Path) -> Path:
    """Lay a project: the launcher, locks of one and two small packages, a command that tells how it was called."""
    (folder / "requirements").mkdir(parents=True)
    (folder / "ops").mkdir()
    shutil.copy(ROOT / "jejak", folder / "jejak")
    shutil.copy(ROOT / "requirements/uv.txt", folder / "requirements/uv.txt")
    (folder / "requirements/run.txt").write_text(locked("iniconfig"))
    (folder / "requirements/test.txt").write_text(locked("iniconfig", "pluggy"))
    (folder / "ops/__init__.py").touch()
    (folder / "ops/cli.py").write_text(ANSWER)
    return folder


def start(launcher: Path, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(launcher), *arguments],
        cwd=cwd,
        env={name: text for name, text in os.environ.items() if name != "JEJAK_HOME"} | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in a folder with spaces, installed."""
    folder = lay(tmp_path_factory.mktemp("clone") / "a folder with spaces")
    first = start(folder / "jejak", cwd=folder)
    assert first.returncode == 0, first.stderr
    assert first.stderr.startswith(NOTICE.format("run"))
    return folder


def test_a_started_command_sees_the_users_folder_and_words(project: Path, tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()  # what lies in the user's folder must not be taken for the program
    (tmp_path / "ops/cli.py").write_text("raise SystemExit(9)")
    link = tmp_path / "link"
    link.symlink_to(os.path.relpath(project / "jejak", tmp_path))
    started = start(link, "pair", "--out", "two words", cwd=tmp_path)
    assert started.stderr == ""
    answer = json.loads(started.stdout)
    assert answer["cwd"] == str(tmp_path)
    assert answer["arguments"] == ["pair", "--out", "two words"]
    assert answer["JEJAK_HOME"] == str(project / ".jejak")
    assert answer["python"] == str(project / ".venv/bin/python")


def test_a_home_that_was_chosen_stays(project: Path, tmp_path: Path) -> None:
    assert json.loads(start(project / "jejak", cwd=tmp_path, JEJAK_HOME="here").stdout)["JEJAK_HOME"] == "here"


def test_packages_are_installed_again_only_when_the_lock_changed(project: Path) -> None:
    lock = project / "requirements/run.txt"
    assert start(project / "jejak", cwd=project).stderr == ""
    lock.write_text(lock.read_text() + "# changed\n")
    assert start(project / "jejak", cwd=project).stderr.startswith(NOTICE.format("run"))
    assert start(project / "jejak", cwd=project).stderr == ""


def test_a_command_after_the_tests_keeps_what_the_tests_need(project: Path) -> None:
    tested = start(project / "jejak", "test", cwd=project)
    assert tested.stderr.startswith(NOTICE.format("test"))
    assert json.loads(tested.stdout)["has"] == ["iniconfig", "pluggy"]
    ran = start(project / "jejak", cwd=project)
    assert ran.stderr == ""
    assert json.loads(ran.stdout)["has"] == ["iniconfig", "pluggy"]


def test_of_two_launchers_at_once_one_installs_and_both_run(project: Path) -> None:
    (project / ".venv/run.txt").unlink()
    both = [
        subprocess.Popen([project / "jejak"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [json.loads(out)["has"] for out, _ in ended] == [["iniconfig"]] * 2
    assert sum(err.startswith(NOTICE.format("run")) for _, err in ended) == 1


def test_a_launcher_killed_while_it_installs_stops_nobody(project: Path) -> None:
    (project / ".venv/run.txt").unlink()
    shutil.rmtree(project / ".venv/bin")
    killed = subprocess.Popen([project / "jejak"], start_new_session=True, stderr=subprocess.PIPE, text=True)
    assert killed.stderr is not None
    assert killed.stderr.readline().startswith(NOTICE.format("run"))
    time.sleep(0.5)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    after = start(project / "jejak", cwd=project)
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout)["has"] == ["iniconfig"]


def test_without_network_the_first_start_ends_with_one_clear_line(tmp_path: Path) -> None:
    folder = lay(tmp_path / "clone")
    nowhere = "http://127.0.0.1:9/"
    started = start(
        folder / "jejak",
        cwd=folder,
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL=nowhere,
        PIP_NO_CACHE_DIR="1",
        UV_NO_CONFIG="1",
        UV_DEFAULT_INDEX=nowhere,
        UV_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert started.returncode == 2
    notice, reason = started.stderr.splitlines()
    assert notice.startswith(NOTICE.format("run"))
    assert reason.startswith("jejak: cannot install requirements/run.txt (no network?")
    assert started.stdout == ""


def test_without_a_python_it_says_which_one_it_needs(tmp_path: Path) -> None:
    folder = lay(tmp_path / "clone")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cat", "cmp", "dirname", "mkdir", "readlink", "rm", "sh"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    started = start(folder / "jejak", cwd=folder, PATH=str(tools))
    assert (started.returncode, started.stderr) == (2, "jejak: needs Python 3.11 or newer on the PATH; found none\n")


def test_the_test_lock_holds_the_whole_run_lock() -> None:
    pins = {
        name: set(re.findall(r"^(\S+==\S+)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))
        for name in ("run", "test")
    }
    assert pins["run"]
    assert pins["run"] <= pins["test"]


@pytest.mark.parametrize("name", ["run", "test", "uv"])
def test_every_pin_has_hashes_and_no_lock_names_a_host(name: str) -> None:
    lock = (ROOT / f"requirements/{name}.txt").read_text()
    pins = re.findall(r"^\S+==.*\n(.*)", lock, re.MULTILINE)
    assert pins
    assert all(line.startswith("    --hash=sha256:") for line in pins)
    assert "://" not in lock


def test_every_shell_of_this_machine_accepts_the_launcher() -> None:
    shells = [shell for shell in ("sh", "dash", "bash", "ksh") if shutil.which(shell)]
    assert "sh" in shells
    for shell in shells:
        assert subprocess.run([shell, "-n", str(ROOT / "jejak")], check=False).returncode == 0
