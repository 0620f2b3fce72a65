"""`jejak test`: everything that must hold before a change lands, the embedded servers included."""

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click

from schemas.errors import BadInput
from schemas.settings import PREFIX

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as check; check()"
# Tools are run as modules: the scripts beside them hold the path that .venv had when it was made.
FAST = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Only what needs no servers and no minutes: ruff, mypy, the import rules.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def test(*, fast: bool, pytest_args: tuple[str, ...]) -> None:
    """Run linters, types, import rules and all tests; stops at the first that fails, with its exit code.

    What stands behind the options goes to pytest, e.g. `jejak test tests/tracing -x`.
    """
    if importlib.util.find_spec("pytest") is None:
        raise BadInput("the packages of requirements/test.txt are not installed here: run it as ./jejak test")
    # Started in the background, a shell lets us ignore Ctrl-C, and all we start: tests send it to what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for module in FAST:
        _run(f"python -m {shlex.join(module)}", ["-m", *module])
    _run("lint-imports", ["-c", LINT_IMPORTS])
    if not fast:
        # Most tests wait for servers: two processes, each with servers of its own and whole files of tests.
        arguments = pytest_args or ("-n", "2", "--dist", "loadfile")
        _run(f"python -m pytest {shlex.join(arguments)}", ["-m", "pytest", *arguments])


def _run(shown: str, arguments: list[str]) -> None:
    click.secho(f"$ {shown}", bold=True)
    sys.stdout.flush()
    # Without the installation's settings: tests run on servers of their own, never on those that are named here.
    env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, check=False)
    if ended.returncode != 0:
        sys.exit(ended.returncode if ended.returncode > 0 else 128 - ended.returncode)
