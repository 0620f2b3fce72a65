"""Spark on this machine: which JDK it takes, what `jejak doctor` says of it, and that it starts and fails quietly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.doctor import Finding, diagnose
from ops.spark import NO_JDK, find_jdk, is_full_jdk
from schemas.settings import Settings

FULL = 'JAVA_VERSION="{}"\nMODULES="java.base java.compiler jdk.incubator.vector jdk.jfr"\n'
SMALL = 'JAVA_VERSION="21.0.9"\nMODULES="java.base java.logging"\n'


def jdk_in(folder: Path, release: str = FULL.format("17.0.15")) -> Path:
    """Lay a Java that says only what it is."""
    (folder / "bin").mkdir(parents=True)
    (folder / "release").write_text(release)
    java = folder / "bin" / "java"
    java.write_text("#!/bin/sh\necho openjdk of the test\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("release", "full"),
    [
        (FULL.format("17"), True),
        (FULL.format("17.0.15"), True),
        (FULL.format("25.0.1"), True),
        (FULL.format("11.0.28"), False),
        (FULL.format("1.8.0_472"), False),
        (SMALL, False),
        ("IMPLEMENTOR=nobody\n", False),
        ("", False),
    ],
)
def test_spark_takes_a_java_of_17_or_newer_with_the_vector_module(tmp_path: Path, release: str, *, full: bool) -> None:
    assert is_full_jdk(jdk_in(tmp_path / "java", release)) is full


def test_what_is_no_java_is_no_jdk(tmp_path: Path) -> None:
    assert not is_full_jdk(tmp_path / "nowhere")
    assert find_jdk({}, tmp_path) is None
    assert find_jdk({"JAVA_HOME": "", "PATH": ""}, tmp_path) is None


def test_java_home_comes_before_the_path_and_that_before_the_usual_places(tmp_path: Path) -> None:
    usual = jdk_in(tmp_path / "usr/lib/jvm/java-21", FULL.format("21.0.1"))
    on_path, named = jdk_in(tmp_path / "one"), jdk_in(tmp_path / "two")
    path = str(on_path / "bin")
    assert find_jdk({}, tmp_path) == usual
    assert find_jdk({"PATH": path}, tmp_path) == on_path
    assert find_jdk({"PATH": path, "JAVA_HOME": str(named)}, tmp_path) == named


def test_a_java_that_is_too_small_is_passed_over(tmp_path: Path) -> None:
    small, usual = jdk_in(tmp_path / "small", SMALL), jdk_in(tmp_path / "opt/java/openjdk")
    linked = tmp_path / "bin"
    linked.mkdir()
    (linked / "java").symlink_to(small / "bin" / "java")
    assert find_jdk({"JAVA_HOME": str(small), "PATH": str(linked)}, tmp_path) == usual


def line_of(settings: Settings, subject: str) -> Finding:
    return next(finding for finding in diagnose(settings) if finding.subject == subject)


def test_the_doctor_names_the_jdk_and_the_version_of_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(jdk_in(tmp_path / "jdk")))
    settings = Settings(home=tmp_path / "home")
    java = line_of(settings, "JDK (Spark, bench)")
    assert (java.state, java.says) == ("well", f"{tmp_path / 'jdk'}: openjdk of the test")
    spark = line_of(settings, "Spark")
    assert spark.state == "well"
    assert spark.says.startswith("4.")


def test_without_a_jdk_spark_is_one_line_and_exit_2(tmp_path: Path) -> None:
    small = jdk_in(tmp_path / "small", SMALL)
    code = "from pathlib import Path\nimport ops.spark\nops.spark._PLACES = ()\nfrom ops.cli import main\nmain()\n"
    words = ["bulk", "--cases", "C.csv", "--archive", "nowhere", "--out", "out"]
    (tmp_path / "C.csv").write_text("case_id,person_id,date_onset,date_specimen,date_isolation\n")
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={"JAVA_HOME": str(small), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"starting Spark\njejak: {NO_JDK}\n"
    assert not (tmp_path / "out").exists()


def test_a_java_that_ends_at_once_is_one_line_with_what_it_said(tmp_path: Path) -> None:
    broken = jdk_in(tmp_path / "jdk")
    (broken / "bin" / "java").write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 1\n")
    (tmp_path / "C.csv").write_text("case_id,person_id,date_onset,date_specimen,date_isolation\n")
    command = [sys.executable, "-m", "ops.cli", "bulk", "--cases", "C.csv", "--archive", "nowhere", "--out", "out"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"JAVA_HOME": str(broken), "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    begun, error = done.stderr.splitlines()
    assert begun == "starting Spark"
    assert error.startswith("jejak: Spark does not start: no such luck; ")
