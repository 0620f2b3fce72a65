"""The command line: one line for what somebody got wrong, and the exit code that says so."""

import os
import signal
import subprocess
import sys
import time

import click
import pytest

from ops.cli import Commands, cli
from ops.commands.up import stoppable


def _jejak(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *words],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words",
    [
        *(["nothing-of-ours"], ["pair"], ["pair", "--scans"], ["pair", "--speed", "1"]),
        *(["replay", "--speed=x", "f"], ["replay", "--speed=nan", "f"], ["chaos", "--minutes=inf"]),
        *(["chaos", "--faults="], ["chaos", "--faults=net", "--kills=5"], ["chaos", "--out=/dev/null/chaos"]),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(words: list[str]) -> None:
    done = _jejak(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("jejak: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_before_its_end_says_so_by_its_exit_code(sent: signal.Signals) -> None:
    def be_stopped(*, unfinished: bool) -> None:
        with stoppable(unfinished=unfinished):
            os.kill(os.getpid(), sent)
            time.sleep(10)

    with pytest.raises(click.Abort):
        be_stopped(unfinished=True)
    be_stopped(unfinished=False)  # its end is that somebody stops it


def test_a_misspelt_setting_is_one_line_and_exit_2() -> None:
    done = _jejak("schemas", "export", "out", JEJAK_PARTITION="12")
    assert done.returncode == 2
    assert done.stderr == "jejak: field JEJAK_PARTITION: is no setting; see docs/settings.md\n"


def test_a_group_without_a_command_shows_its_help_and_exits_2() -> None:
    done = _jejak("schemas")
    assert done.returncode == 2
    assert "export" in done.stderr


def test_help_is_an_answer() -> None:
    done = _jejak("--help")
    assert done.returncode == 0
    assert "pair" in done.stdout


def test_every_file_of_a_command_holds_it_and_says_what_it_does() -> None:
    assert isinstance(cli, Commands)
    with cli.make_context("jejak", ["pair"], resilient_parsing=True) as ctx:
        for name in cli.list_commands(ctx):
            command = cli.get_command(ctx, name)
            assert command is not None
            assert command.help, name
