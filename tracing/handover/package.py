"""The package of a stored trace: tables, graphs, header, FHIR bundle and report, as a trace of files writes them."""

import hashlib
import io
import platform
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from schemas.errors import Conflict
from schemas.version import VERSION
from tracing.exports import write_csv
from tracing.filetrace.graph_files import GraphFiles, Meeting, Person
from tracing.handover import tables as columns
from tracing.handover.bundle import bundle_of
from tracing.handover.dossier import Dossier
from tracing.handover.report import report_of
from tracing.handover.tables import Tables
from tracing.instants import text_of, us_of
from tracing.report.page import page_of
from tracing.report.words import Tongue

_DAY_ONE: Final = (1980, 1, 1, 0, 0, 0)  # of a ZIP entry: the same trace asked for twice differs in nothing else


class Asked(NamedTuple):
    """Who asks for the package, why, when, and in which language the report is to be."""

    by: str
    reason: str
    at: datetime
    tongue: Tongue = "id"


def files_of(dossier: Dossier, asked: Asked) -> dict[str, bytes]:
    """Return the files by name; each name in trace.json has its rows and SHA-256.

    Raises:
        Conflict: there is no trace yet, as of a request that nobody approved.
    """
    if dossier.view.day0 is None or not dossier.view.rule:
        raise Conflict("the case has no trace yet: there is nothing to hand over")
    tables = Tables(dossier)
    with TemporaryDirectory(prefix="jejak-") as name:
        folder = Path(name)
        rows = _write_tables(folder, dossier, tables)
        rows |= _write_graphs(folder, dossier, tables)
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    bundle = bundle_of(dossier, tables, asked.by, asked.reason, asked.at)
    rows["fhir.json"] = len(bundle["entry"])
    files["fhir.json"] = msgspec.json.encode(bundle) + b"\n"
    header = _header(dossier, asked) | {"rows": rows, "files": _hashes(files)}
    files["report.html"] = report_page(dossier, tables, header, asked)
    header["files"] |= _hashes({"report.html": files["report.html"]})
    header["cases"] = [_case_header(dossier)]
    files["trace.json"] = msgspec.json.format(msgspec.json.encode(header), indent=2) + b"\n"
    return files


def report_page(dossier: Dossier, tables: Tables, header: Mapping[str, Any], asked: Asked) -> bytes:
    """Return report.html."""
    return page_of(report_of(dossier, tables, header, us_of(asked.at)), asked.tongue).encode()


def zip_of(files: Mapping[str, bytes], folder: str) -> bytes:
    """Return the files as one."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _DAY_ONE), files[name], zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _write_tables(folder: Path, dossier: Dossier, tables: Tables) -> dict[str, int]:
    written: tuple[tuple[str, tuple[str, ...], Iterable[columns.Row]], ...] = (
        ("linelist.csv", columns.LINE_COLUMNS, tables.line_list()),
        ("contacts.csv", columns.ALL_CONTACT_COLUMNS, tables.contacts()),
        ("exposures.csv", columns.ALL_EXPOSURE_COLUMNS, tables.exposures()),
        ("sources.csv", columns.SOURCE_COLUMNS, tables.sources()),
        ("source_exposures.csv", columns.ALL_EXPOSURE_COLUMNS, tables.source_exposures()),
    )
    rows = {name: write_csv(folder / name, header, lines) for name, header, lines in written}
    assert rows["contacts.csv"] == len(dossier.view.contacts), "a candidate who is shown is not handed over"
    return rows


def _write_graphs(folder: Path, dossier: Dossier, tables: Tables) -> dict[str, int]:
    with GraphFiles(folder) as graph:
        for line in dossier.lines:
            view, row = line.view, tables.contact(line)
            ends = view.from_ref, view.contact_ref, dossier.view.case_id, view.degree
            graph.add(Meeting(*ends, row["overlap_minutes"], view.facility_id))
        nodes = graph.finish(Person(*one) for one in sorted(tables.persons().items()))
    return {"nodes": nodes, "edges": graph.edges}


def _header(dossier: Dossier, asked: Asked) -> dict[str, Any]:
    view, seen = dossier.view, [stay.check_in for stay in (*dossier.own, *dossier.stays.values())]
    return {
        "rule": dossier.rule,
        "degrees": max((one.degree for one in view.contacts), default=1),
        "direction": "both" if view.sources else "forward",
        "time_zone": dossier.time_zone,
        "asked_by": asked.by,
        "asked_at": asked.at,
        "reason": asked.reason,
        "high_water_mark": text_of(max(seen), dossier.time_zone) if seen else None,
        "engine": "online",
        "versions": {"jejak": VERSION, "python": platform.python_version()},
        "inputs": {},
        "trace": {
            "state": view.trace_state,
            "revision": view.revision,
            "requested_by": view.requested_by,
            "requested_reason": view.reason,
            "approved_by": view.approved_by,
            "approved_reason": view.approved_reason,
            "positions": dossier.positions,
        },
    }


def _case_header(dossier: Dossier) -> dict[str, Any]:
    view = dossier.view
    assert view.day0 is not None
    stay = view.stay_at_onset
    onset = {"day_of_stay": stay.day_of_stay, "admitted": stay.admitted, "origin": stay.onset} if stay else {}
    degrees = [one.degree for one in view.contacts]
    return {
        "case_id": view.case_id,
        "day_zero": view.day0,
        "day_zero_is": view.day0_is,
        "window": [text_of(at, dossier.time_zone) for at in dossier.window] if view.window else [],
        "contacts": {str(degree): degrees.count(degree) for degree in (1, 2)},
        **onset,
    }


def _hashes(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    return {name: {"sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
