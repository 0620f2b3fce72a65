"""One trace of files: reads V.csv and C.csv, decides, and writes the package of a trace, whole or not at all."""

import hashlib
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import numpy as np

from schemas.errors import BadInput
from schemas.version import VERSION
from tracing.exports import check_folder, whole_folder
from tracing.files import check_time_zone
from tracing.filetrace import case_file, visit_columns
from tracing.filetrace.case_file import read_cases
from tracing.filetrace.decision import Engine, Trace
from tracing.filetrace.package import Package, Question, Tell
from tracing.filetrace.visit_file import VisitFile, read_visits
from tracing.instants import text_of, us_of
from tracing.report.page import page_of


class Traced(msgspec.Struct, frozen=True):
    """How much was read, and the rows of each file written."""

    visits: int
    cases: int
    rows: dict[str, int]


def trace_files(
    visits_path: Path,
    cases_path: Path,
    out_dir: Path,
    question: Question,
    *,
    tell: Tell = lambda _what, _number: None,
    engine: Engine = Trace,
    engine_name: str = "local",
) -> Traced:
    """Write contacts, exposures and sources of the cases in a file, with line list, graph and header.

    Args:
        visits_path: V.csv.
        cases_path: C.csv.
        out_dir: made if it is not there; holds every result or is left as it was.
        question: what is asked.
        engine: finds the exposures.
        engine_name: as trace.json says it.
        tell: told what is being counted and how many there are so far, now and then.

    Raises:
        BadInput: names line, field and file, or the option.
    """
    began = monotonic()
    check_time_zone(question.time_zone)
    check_folder(out_dir)
    with _naming(case_file.OPTION):
        cases, extra_columns = read_cases(cases_path)
    with ExitStack() as stack:
        with _naming(visit_columns.OPTION):
            visits = stack.enter_context(read_visits(visits_path, lambda rows: tell("visits read", rows)))
        with whole_folder(out_dir) as folder:
            package = Package(question, visits, cases, tell, engine)
            inputs = {
                "visits": {"rows": visits.rows, "sha256": _sha256(visits.path)},
                "cases": {"rows": len(cases), "sha256": _sha256(cases_path)},
            }
            package.write(folder, extra_columns, {name: str(of["sha256"]) for name, of in inputs.items()})
            header = _header(question, visits, engine_name) | {"inputs": inputs, "rows": package.rows}
            header["files"] = {file.name: {"sha256": _sha256(file)} for file in sorted(folder.iterdir())}
            _write_report(folder / "report.html", package, question, header, _latest(visits))
            header["files"]["report.html"] = {"sha256": _sha256(folder / "report.html")}
            header["cases"] = package.case_headers()
            header["run_ms"] = round((monotonic() - began) * 1000)
            (folder / "trace.json").write_bytes(msgspec.json.format(msgspec.json.encode(header), indent=2) + b"\n")
    return Traced(visits.rows, len(cases), package.rows)


def _header(question: Question, visits: VisitFile, engine_name: str) -> dict[str, Any]:
    latest = _latest(visits)
    return {
        "rule": question.rule,
        "degrees": question.degrees,
        "direction": question.direction,
        "time_zone": question.time_zone,
        "asked_by": question.asked_by,
        "asked_at": question.asked_at,
        "reason": question.reason,
        "high_water_mark": None if latest is None else text_of(latest, question.time_zone),
        "engine": engine_name,
        "versions": {"jejak": VERSION, "python": platform.python_version(), "numpy": np.__version__},
    }


def _latest(visits: VisitFile) -> int | None:
    columns = visits.columns.visits
    if not visits.rows:
        return None
    return int(max(columns.check_in.max(), columns.check_out[columns.recorded].max(initial=columns.check_in[0])))


def _write_report(path: Path, package: Package, question: Question, header: dict[str, Any], latest: int | None) -> None:
    report = package.facts().report(header, latest, us_of(question.asked_at))
    path.write_text(page_of(report, question.language), encoding="utf-8", newline="\n")


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Say in an error of a line which file it is in: both have persons."""
    try:
        yield
    except BadInput as error:
        if error.line is None:
            raise
        raise BadInput(f"{error.reason} (in {option})", field=error.field, line=error.line) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
