"""What contenders need beyond the product: packages in an environment of their own, and the Java peers' jar.

Both are made when first needed. What cannot be had is said in the results, and that contender is not run.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements" / "bench.txt"
VENV: Final = ROOT / ".venv" / "bench"
PYTHON: Final = VENV / "bin" / "python"
PEERS: Final = ROOT / "bench" / "peers"
JAR: Final = PEERS / "target" / "peers.jar"

Say = Callable[[str], None]


def prepare_python(say: Say) -> str:
    """Install requirements/bench.txt into its own environment; return why not, or nothing."""
    done = VENV / LOCK.name
    if done.is_file() and done.read_bytes() == LOCK.read_bytes():
        return ""
    say("installing requirements/bench.txt into .venv/bench (once)")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    make = (
        [uv, "venv", "--allow-existing", "--python", sys.executable, VENV]
        if uv
        else [sys.executable, "-m", "venv", VENV]
    )
    sync = [uv, "pip", "sync", "--python", PYTHON] if uv else [PYTHON, "-m", "pip", "install", "-r"]
    for command in (make, [*sync, "--require-hashes", LOCK]):
        why = _run([str(word) for word in command])
        if why:
            return f"requirements/bench.txt cannot be installed: {why}"
    done.write_bytes(LOCK.read_bytes())
    return ""


def prepare_java(say: Say) -> str:
    """Build the Java peers with Maven; return why not, or nothing."""
    if shutil.which("java") is None:
        return "no Java on the PATH (a JDK 17 or newer)"
    sources = [PEERS / "pom.xml", *PEERS.glob("src/**/*.java")]
    if JAR.is_file() and JAR.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return ""
    if shutil.which("mvn") is None:
        return "no Maven on the PATH"
    say("building bench/peers with Maven (once)")
    why = _run(["mvn", "-q", "-f", str(PEERS / "pom.xml"), "package"])
    return f"bench/peers does not build: {why}" if why else ""


def lacks_module(name: str) -> str:
    """Return why a Python contender cannot run, or nothing."""
    why = _run([str(PYTHON), "-c", f"import {name}"])
    return f"`import {name}` fails: {why}" if why else ""


def java_command(main: str, *, heap: str) -> list[str]:
    """Return the command that runs one of the Java peers."""
    jars = f"{JAR}:{JAR.parent / 'lib'}/*"
    return ["java", f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseParallelGC", "-cp", jars, "jejak.bench.Main", main]


def _run(command: Sequence[str]) -> str:
    """Run a command; return the last line of its error, or nothing."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[-1] if said else f"exit {done.returncode}"
