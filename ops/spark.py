"""Spark as this machine has it: the JDK it needs is looked for, and a session is made that listens on loopback alone.

Under `spark-submit` the session is the cluster's: master, memory and Python are what it was started with.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from schemas.errors import Unavailable

JAVA_MIN: Final = 17
MODULE: Final = "jdk.incubator.vector"  # Spark starts Java with it; a Java made small for Kafka lacks it
ROOT: Final = Path(__file__).parents[1]
_PLACES: Final = ("/usr/lib/jvm/*", "/usr/java/*", "/opt/java/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")
NO_JDK: Final = f"Spark needs a full JDK {JAVA_MIN} or newer: install one, or name it in JAVA_HOME"
NO_SPARK: Final = "Spark is not installed: `uv pip install --require-hashes -r requirements/spark.txt` into .venv"


def find_jdk(environ: Mapping[str, str]) -> Path | None:
    """Return a JDK that Spark can use: the one named in JAVA_HOME, that of the PATH, or one in the usual places."""
    named = [Path(environ["JAVA_HOME"])] if environ.get("JAVA_HOME") else []
    java = shutil.which("java", path=environ.get("PATH"))
    on_path = [Path(java).resolve().parents[1]] if java else []
    usual = sorted(path for place in _PLACES for path in Path("/").glob(place.removeprefix("/")))
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
def spark_session(environ: Mapping[str, str], *, cores: int | None = None, memory: str = "2g") -> Iterator[Any]:
    """Yield a session, stopped at the end.

    Raises:
        Unavailable: Spark or a JDK is missing; it says how to get it.
    """
    if find_spec("pyspark") is None:
        raise Unavailable(NO_SPARK)
    submitted = "PYSPARK_GATEWAY_PORT" in environ
    if not submitted:
        jdk = find_jdk(environ)
        if jdk is None:
            raise Unavailable(NO_JDK)
        os.environ |= {"JAVA_HOME": str(jdk), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("jejak").config("spark.sql.session.timeZone", "UTC")
    if not submitted:
        for name, value in _local(cores or os.cpu_count() or 1, memory).items():
            builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def _local(cores: int, memory: str) -> dict[str, str]:
    return {
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executorEnv.PYTHONPATH": str(ROOT),
        "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
