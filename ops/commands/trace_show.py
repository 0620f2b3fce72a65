"""`jejak trace-show`: a case and its candidates, ranked and explained."""

import getpass
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ops.embedded import running_settings
from ops.reasons import Reason
from ops.store import OPERATOR, transaction
from portal.store import append_audit
from producers.gate_client import open_gate
from schemas.errors import BadInput
from schemas.settings import Settings
from tracing.cases.graph import Edge, graph_of, graphml_of
from tracing.cases.store import ContactView, SourceView, TraceView, read_trace
from tracing.instants import MINUTE_US

SOURCES_MAX = 20  # shown; --json has all
STALE = defaultdict(str, stale=": data came after it had closed; ask for it again")


@click.command("trace-show")
@click.argument("case_id", metavar="CASE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--graph", "graph_path", type=click.Path(path_type=Path), help="Also write the graph as GraphML.")
@click.option("--reason", type=Reason(), default="", help="Why you look; goes into the audit.")
@click.option("--gate", default="", metavar="URL", help="Ask this gate.")
@click.option("--key-file", default="", metavar="FILE", help="Ask the gate with this API key, not the database.")
@click.pass_obj
def trace_show(
    settings: Settings,
    case_id: str,
    *,
    as_json: bool,
    graph_path: Path | None,
    reason: str,
    gate: str,
    key_file: str,
) -> None:
    """Show a case with its candidates, e.g. `jejak trace-show K000007`.

    With a key it asks the gate, as an epidemiologist does; without, the database, as the operator. Either reading
    goes into the audit, and neither shows a person id.
    """
    if gate or key_file:
        with open_gate(settings, gate, key_file) as client:
            view = msgspec.convert(client.get(f"/v1/traces/{quote(case_id, safe='')}"), TraceView)
    else:
        with transaction(running_settings(settings), OPERATOR) as conn:
            view = read_trace(conn, case_id)
            append_audit(conn, getpass.getuser(), "trace shown", case_id, reason)
    if graph_path is not None:
        _write_graph(view, graph_path)
    if as_json:
        click.echo(msgspec.json.encode(view).decode())
    else:
        _print(view, Console())


def _write_graph(view: TraceView, path: Path) -> None:
    edges = [
        Edge(one.from_ref, one.contact_ref, one.degree, round(one.overlap_minutes * MINUTE_US)) for one in view.contacts
    ]
    try:
        path.write_bytes(graphml_of(graph_of(view.case_ref or view.case_id, edges)))
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", field="--graph") from error


def _print(view: TraceView, console: Console) -> None:
    approved = f", approved by {view.approved_by} ({view.approved_reason})" if view.approved_by else ""
    lines = [
        f"{view.case_id}  {view.state}, {view.classification}",
        f"asked by {view.requested_by} ({view.reason}){approved}",
    ]
    if view.day0 is not None:
        by = " (first isolation zone)" if view.isolated_by_zone else ""
        isolated = f", isolated {view.date_isolation}{by}" if view.date_isolation else ""
        lines.append(f"day 0 is {view.day0} ({view.day0_is}){isolated}")
    if view.window is not None:
        lines.append(f"rule {view.rule}, revision {view.revision}, trace {view.trace_state}{STALE[view.trace_state]}")
        lines += [_looked_at(zone, window) for zone, window in sorted(view.windows.items())]
    if view.lost_before:
        lines.append(
            f"visits from before {view.lost_before} have been let go: of those days there is only what was found"
        )
    stay = view.stay_at_onset
    if stay is not None:
        where = f"inpatient of {stay.facility_name} since {stay.admitted}"
        lines.append(f"{where}: day {stay.day_of_stay} of the stay, {stay.onset} onset")
    console.print("\n".join(lines), markup=False, highlight=False)
    for degree in sorted({one.degree for one in view.contacts}):
        _print_contacts([one for one in view.contacts if one.degree == degree], degree, console)
    if not view.contacts:
        console.print("no candidates", markup=False)
    for team in view.teams:
        unknown = f"; protection unknown: {' '.join(team.ppe_unknown)}" if team.ppe_unknown else ""
        known = " ".join(team.contact_refs) or "nobody"
        console.print(f"for the infection control team of {team.facility_name}: {known}{unknown}", markup=False)
    if view.sources:
        _print_sources(view.sources, console)


def _looked_at(time_zone: str, window: tuple[str, str]) -> str:
    """Return from when to when the case's places were looked at, as the clocks of these facilities show it."""
    first, last = (datetime.fromisoformat(end).astimezone(ZoneInfo(time_zone)) for end in window)
    return f"looked at {first:%d %b %Y %H:%M} to {last:%d %b %Y %H:%M} {last:%Z} ({time_zone})"


def _print_contacts(contacts: Sequence[ContactView], degree: int, console: Console) -> None:
    which = "candidates (kandidat kontak erat)" if degree == 1 else f"candidates of degree {degree}"
    table = Table(caption=f"{which}, not yet close contacts")
    for column in ("#", "contact", "minutes", "likely", "role", "decision", "why"):
        table.add_column(column, no_wrap=column != "why")  # a contact's name cut off cannot be decided on
    for one in contacts:
        label = "already a case; " if one.already_case else ""
        rank = str(one.rank) if one.rank else "-"
        minutes, likely = f"{one.overlap_minutes:.3f}", _percent(one.probability)
        table.add_row(rank, one.contact_ref, minutes, likely, one.role, one.decision, label + one.reason)
    console.print(table, markup=False)


def _print_sources(sources: Sequence[SourceView], console: Console) -> None:
    """Print where the case may have it from: the first in rank, and the number of the others."""
    table = Table(caption=f"possible sources (penelusuran sumber), {len(sources)} in all")
    for column in ("#", "source", "minutes", "likely", "why"):
        table.add_column(column, no_wrap=column != "why")
    for one in sources[:SOURCES_MAX]:
        label = "" if one.plausible else "a case, but not yet infectious; "
        label += "a case; " if one.plausible and one.already_case else ""
        minutes, likely = f"{one.overlap_minutes:.3f}", _percent(one.probability)
        table.add_row(str(one.rank), one.source_ref, minutes, likely, label + one.reason)
    console.print(table, markup=False)


def _percent(probability: float | None) -> str:
    """Return how likely the two were close; empty where it is not known."""
    return "" if probability is None else f"{probability:.1%}"
