"""`jejak test` on a project of its own: its exit code is that of the first step that fails, pytest's options arrive."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = "from ops.commands.test import test; test()"
IN_THE_BACKGROUND = "trap '' INT; exec \"$@\""  # a shell's `&` makes what it starts ignore Ctrl-C
PROJECT = """
[tool.ruff]
line-length = 120
[tool.ruff.lint]
select = ["F"]
[tool.mypy]
strict = true
files = ["app"]
[tool.importlinter]
root_packages = ["app", "schemas"]
[[tool.importlinter.contracts]]
name = "app knows no shapes"
type = "forbidden"
source_modules = ["app"]
forbidden_modules = ["schemas"]
"""
TESTS = """\
import os
import signal

from app.one import one


def test_one() -> None:
    assert one() == 1
    assert "JEJAK_DATABASE" not in os.environ
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_two() -> None:
    assert one() + 1 == 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which everything holds: the command itself, one package, one test."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for module in ("ops/__init__.py", "ops/commands/__init__.py", "ops/commands/test.py", "schemas/__init__.py"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / module, tmp_path / module)
    for module in ("errors", "settings"):
        shutil.copy(ROOT / f"schemas/{module}.py", tmp_path / "schemas")
    for path, text in {
        "app/__init__.py": "",
        "app/one.py": "def one() -> int:\n    return 1\n",
        "tests/test_one.py": TESTS,
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", IN_THE_BACKGROUND, "sh", sys.executable, "-P", "-c", RUN, *arguments],
        cwd=project.parent,
        env=os.environ | {"PYTHONPATH": str(project), "JEJAK_DATABASE": "postgresql://127.0.0.1:1/never"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_that_holds_ends_with_pytests_closing_line(project: Path) -> None:
    ended = run(project)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith("$ ")] == [
        "$ python -m ruff check",
        "$ python -m ruff format --check",
        "$ python -m mypy",
        "$ lint-imports",
        "$ python -m pytest -n 2 --dist loadfile",
    ]
    assert "2 passed" in ended.stdout.splitlines()[-1]


def test_what_follows_goes_to_pytest(project: Path) -> None:
    assert "1 passed, 1 deselected" in run(project, "-k", "two", "-q").stdout


def test_the_fast_half_runs_no_test(project: Path) -> None:
    (project / "tests/test_one.py").write_text("def test_one() -> None:\n    raise AssertionError\n")
    ended = run(project, "--fast")
    assert ended.returncode == 0
    assert "pytest" not in ended.stdout


@pytest.mark.parametrize(
    ("text", "code", "last"),
    [
        ("import os\n", 1, "$ python -m ruff check"),
        ("x=1\n", 1, "$ python -m ruff format --check"),
        ('x: int = "one"\n', 1, "$ python -m mypy"),
        ("from schemas.errors import JejakError\n\nx = JejakError\n", 1, "$ lint-imports"),
    ],
    ids=["lint", "format", "types", "imports"],
)
def test_it_stops_at_the_first_that_fails_with_its_code(project: Path, text: str, code: int, last: str) -> None:
    (project / "app/one.py").write_text(text)
    ended = run(project)
    assert ended.returncode == code
    assert [line for line in ended.stdout.splitlines() if line.startswith("$ ")][-1] == last


def test_a_failing_test_is_its_exit_code(project: Path) -> None:
    (project / "app/one.py").write_text("def one() -> int:\n    return 2\n")
    assert run(project).returncode == 1
