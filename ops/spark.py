"""Spark as this machine has it: the JDK it needs is looked for, and a session is made that listens on loopback alone.

Under `spark-submit` the session is the cluster's: master, memory and Python are what it was started with, and it says
what it likes. A session of our own is quiet: what its Java says goes to a file, of which an error tells the begin.
"""

import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import IO, Any, Final

from schemas.errors import BadInput, Unavailable

JAVA_MIN: Final = 17
MODULE: Final = "jdk.incubator.vector"  # Spark starts Java with it; a Java made small for Kafka lacks it
ROOT: Final = Path(__file__).parents[1]
_PLACES: Final = ("/usr/lib/jvm/*", "/usr/java/*", "/opt/java/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")
_MEMORY: Final = re.compile("[0-9]+[mg]")
NO_JDK: Final = f"Spark needs a full JDK {JAVA_MIN} or newer: install one, or name it in JAVA_HOME"
NO_SPARK: Final = "Spark is not installed: `uv pip install --require-hashes -r requirements/spark.txt` into .venv"


def find_jdk(environ: Mapping[str, str], root: Path = Path("/")) -> Path | None:
    """Return a JDK that Spark can use: the one named in JAVA_HOME, that of the PATH, or one in the usual places."""
    named = [Path(environ["JAVA_HOME"])] if environ.get("JAVA_HOME") else []
    java = shutil.which("java", path=environ.get("PATH", ""))
    on_path = [Path(java).resolve().parents[1]] if java else []
    usual = sorted(path for place in _PLACES for path in root.glob(place.removeprefix("/")))
    return next((home for home in (*named, *on_path, *usual) if is_full_jdk(home)), None)


def is_full_jdk(home: Path) -> bool:
    """Say whether the Java there is new enough and has what Spark starts it with."""
    try:
        release = (home / "release").read_text(errors="replace")
    except OSError:
        return False
    version = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return version is not None and int(version[1]) >= JAVA_MIN and MODULE in release


@contextmanager
def spark_session(
    environ: Mapping[str, str] | None = None, *, cores: int | None = None, memory: str = "2g", jars: Sequence[Path] = ()
) -> Iterator[Any]:
    """Yield a session, stopped at the end.

    Args:
        environ: of this process, if not said.
        cores: of a session of our own; all, if not said.
        memory: of its driver, which holds the answer and, on one machine, does the work.
        jars: for its class path; under `spark-submit` they are named there.

    Raises:
        Unavailable: Spark or a JDK is missing, or it does not start; it says how to get it.
    """
    if find_spec("pyspark") is None:
        raise Unavailable(NO_SPARK)
    environ = os.environ if environ is None else environ
    submitted = is_submitted(environ)
    if not submitted:
        jdk = find_jdk(environ)
        if jdk is None:
            raise Unavailable(NO_JDK)
        if not _MEMORY.fullmatch(memory):
            raise BadInput("is no amount such as 2g or 800m", field="--memory")
        os.environ |= {"JAVA_HOME": str(jdk), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    # It warns of pandas 3 wherever a function of Arrow is made; no frame of pandas is ever handed to it here.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("jejak").config("spark.sql.session.timeZone", "UTC")
    if not submitted:
        for name, value in _local(cores or os.cpu_count() or 1, memory, jars).items():
            builder = builder.config(name, value)
    with ExitStack() as stack:
        said = None if submitted else stack.enter_context(_java_apart())
        try:
            session = builder.getOrCreate()
        except PySparkRuntimeError as error:
            raise Unavailable(f"Spark does not start: {_begin_of(said)}") from error
        finally:
            stack.close()  # only Java, which has begun, keeps it
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def is_submitted(environ: Mapping[str, str]) -> bool:
    """Say whether `spark-submit` runs this process."""
    return "PYSPARK_GATEWAY_PORT" in environ


@contextmanager
def progress(session: Any, tell: Callable[[int, int], None]) -> Iterator[None]:  # noqa: ANN401 — Spark's own
    """Tell once a second how many tasks of the running stages are done, and how many there are."""
    tracker, done = session.sparkContext.statusTracker(), Event()

    def watch() -> None:
        while not done.wait(1):
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            known = [stage for stage in stages if stage is not None]
            if known:
                tell(sum(stage.numCompletedTasks for stage in known), sum(stage.numTasks for stage in known))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _java_apart() -> Iterator[IO[bytes]]:
    """Give what is started in the block a file for its stderr: Java's warnings come before any setting is read."""
    with TemporaryFile() as file:
        kept = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            yield file
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _begin_of(said: IO[bytes] | None) -> str:
    if said is None or said.closed:
        return "see above"
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines()]
    return "; ".join([line for line in lines if line and not line.startswith("WARNING")][:2]) or "Java ended"


def _local(cores: int, memory: str, jars: Sequence[Path]) -> dict[str, str]:
    named = {"spark.jars": ",".join(path.absolute().as_uri() for path in jars)} if jars else {}
    return named | {
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": memory,
        "spark.driver.maxResultSize": "0",  # the answer is as large as it is; memory is the limit
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executorEnv.PYTHONPATH": str(ROOT),
        "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
