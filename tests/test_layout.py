"""The house: imports go one way, modules stay small, and each outside thing is known in one place only."""

import ast
import importlib.util
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.commands.test import LINT_IMPORTS
from schemas.version import VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS: list[str] = PROJECT["tool"]["uv"]["build-backend"]["module-name"]
MODULES = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LINES_MAX = 400
LINES_MEDIAN_MAX = 150
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("os", "environ"),
    ("os", "getenv"),
}

SQL = re.compile(
    r"\s*(select\s.*\sfrom\s|insert into\s|update \w+( \w+)? set\s|delete from\s|with \w+ as \()", re.DOTALL
)
ASKED_ONE_BY_ONE = {Path("tracing/cases"), Path("ops/audit"), Path("ops/chaos")}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports, wherever in it: the whole dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def clocks(tree: ast.Module) -> Iterator[str]:
    """Yield where a module reads the wall clock or the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if (owner, node.attr) in CLOCKS:
                yield f"{owner}.{node.attr}"
    for name in imports(tree):
        module, _, thing = name.rpartition(".")
        if (module, thing) in CLOCKS:
            yield name


def statements(tree: ast.Module) -> Iterator[str]:
    """Yield the SQL that a module holds as text."""
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if SQL.match("x".join(texts)):
            yield texts[0]


def who(found: Callable[[ast.Module], Iterator[str]], *names: str) -> set[Path]:
    """Return the modules in which `found` finds one of the names (any, when none is given)."""
    return {
        path
        for path in MODULES
        if any(not names or thing.partition(".")[0] in names for thing in found(ast.parse((ROOT / path).read_text())))
    }


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_go_one_way() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("schemas/codec.py", "import tracing"),
        ("tracing/job.py", "import streams.app"),
        ("producers/sender.py", "import tracing.visits"),
        ("streams/app.py", "import portal.app"),
        ("portal/app.py", "import streams.app"),
        ("portal/app.py", "import ops.cli"),
        ("ops/cli.py", "import bench.figures"),
        ("portal/app.py", "import kafka"),
        ("streams/app.py", "import kafka"),
        ("tracing/job.py", "import faust"),
        ("producers/sender.py", "import aiokafka"),
        ("tracing/visits.py", "import psycopg2"),
        ("tracing/visits.py", "import time"),
        ("tracing/instants.py", "import tracing.visits"),
        ("tracing/nowhere.py", ""),
    ],
)
def test_an_import_against_the_rules_is_found(module: str, line: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in MODULES:  # the same modules without their content: the contracts name some of them
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert "KEPT" in lint_imports(tmp_path).stdout
    (tmp_path / module).write_text(line)
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1
    assert "BROKEN" in checked.stdout


def test_modules_are_small() -> None:
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in MODULES}
    assert {path: number for path, number in lines.items() if number > LINES_MAX} == {}
    assert statistics.median(lines.values()) <= LINES_MEDIAN_MAX


def test_only_a_store_and_the_job_know_psycopg2() -> None:
    found = who(imports, "psycopg2")
    assert Path("tracing/store.py") in found
    assert {path for path in found if path.name != "store.py"} <= {Path("tracing/job.py")}


def test_what_of_tracing_is_not_named_as_its_core_knows_files_or_a_cursor() -> None:
    """So a new module is in the contract, unless it does I/O itself or asks one that does."""
    (core,) = (one for one in PROJECT["tool"]["importlinter"]["contracts"] if "core" in one["name"])
    does = {*core["forbidden_modules"], "pathlib"}
    asks = {
        ".".join(path.with_suffix("").parts): {*imports(ast.parse((ROOT / path).read_text()))}
        for path in MODULES
        if path.parts[0] == "tracing" and path.name != "__init__.py"
    }
    found: set[str] = set()
    while more := {
        name
        for name in asks.keys() - found
        if any(one == known or one.startswith(f"{known}.") for one in asks[name] for known in does | found)
    }:
        found |= more
    assert asks.keys() - found <= {*core["source_modules"]}


def test_sql_stands_in_a_store_or_where_one_file_asks_one_question() -> None:
    found = {path for path in who(statements) if path.name != "store.py" and path.parts[0] != "bench"}
    assert {path for path in found if path.parent not in ASKED_ONE_BY_ONE} <= {
        Path("tracing/handover/dossier.py"),
        Path("ops/positions.py"),
    }
    assert {path.parent for path in found} >= ASKED_ONE_BY_ONE


def test_only_producers_and_ops_know_kafka() -> None:
    assert {path.parts[0] for path in who(imports, "kafka")} == {"producers", "ops"}


def test_only_streams_ops_and_a_contender_know_faust() -> None:
    found = {path.parts[0] for path in who(imports, "faust", "aiokafka", "mode")}
    assert "streams" in found
    assert found <= {"streams", "ops", "bench"}


def test_only_ops_and_portal_read_the_clock_and_the_environment() -> None:
    assert {path for path in who(clocks) if path.parts[0] not in {"ops", "portal"}} == set()


def test_a_clock_is_found_however_it_is_spelled() -> None:
    for source in ("datetime.now(UTC)", "dt.datetime.now()", "from time import time", "import os\nos.environ['A']"):
        assert list(clocks(ast.parse(source))), source
    for source in ("time.monotonic()", "time.sleep(1)", "clock.now()", "from time import monotonic"):
        assert not list(clocks(ast.parse(source))), source


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    assert docstring is not None
    assert docstring.startswith("THE ")


def test_no_name_clashes() -> None:
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        assert spec is not None
        assert spec.origin == str(ROOT / room / "__init__.py")
        assert room not in sys.stdlib_module_names
    both = [path for path in MODULES if (ROOT / path).with_suffix("").is_dir()]
    assert both == []  # a module and a folder of one name: one of them is never imported


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert {folder for folder in folders if not (folder / "__init__.py").is_file()} == set()


def test_tests_mirror_the_rooms() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders >= set(ROOMS)
    assert folders - set(ROOMS) <= {"end_to_end", "chaos", "bench"}  # what is above any one room


def test_the_version_is_said_once() -> None:
    assert PROJECT["project"]["version"] == VERSION


HEAVY = ("pyarrow", "scipy", "pandas", "networkx", "reportlab", "zxcvbn", "pyspark")


@pytest.mark.parametrize("module", ["portal.app", "streams.visits", "streams.relay"])
def test_what_starts_again_after_a_kill_loads_nothing_it_seldom_needs(module: str) -> None:
    asked = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
