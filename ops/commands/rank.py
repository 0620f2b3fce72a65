"""`jejak rank`: learns how likely a co-visit was a close one, and measures it at places it has never seen."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from producers.presence import TRUE_CONTACTS, VISITS
from tracing.ranking.model import shipped_model

if TYPE_CHECKING:
    from tracing.ranking.measuring import Measured

_Command = Callable[..., None]
_COLUMNS: Final = (
    *("place, never seen", "pairs", "close", "AP by minutes", "AP", "times as good"),
    *("AUC by minutes", "AUC", "Brier", "Brier of the rate"),
)


def _data(command: _Command) -> _Command:
    """Add the options that name the measured places."""
    help_of = {
        "visits": "A visit a row; default: the presence data that ship.",
        "contacts": "facility_id,day,person_a,person_b,seconds face to face; default: those of the presence data.",
    }
    for name, default in (("contacts", TRUE_CONTACTS), ("visits", VISITS)):
        path = click.Path(path_type=Path)
        command = click.option(f"--{name}", f"{name}_path", default=default, type=path, help=help_of[name])(command)
    return command


@click.group()
def rank() -> None:
    """Learn and measure the ranking of candidates."""


@rank.command()
@_data
@click.option("--out", type=click.Path(path_type=Path), help="File of the weights; default: stdout.")
@click.option("--id", "model_id", default=None, help="Its name; default: that of the model that ships.")
@click.option(
    "--valid-from", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Default: that of the one that ships."
)
@click.option("--source", default=None, help="What it is learnt from, in words; default: as the one that ships says.")
def train(
    visits_path: Path,
    contacts_path: Path,
    out: Path | None,
    model_id: str | None,
    valid_from: datetime | None,
    source: str | None,
) -> None:
    """Learn the weights; same data, same bytes, e.g. `jejak rank train --out model.toml`."""
    from tracing.ranking.learning import Learner, model_toml
    from tracing.ranking.places import read_places

    places, shipped = read_places(visits_path, contacts_path), shipped_model()
    model = Learner(places).model(
        range(len(places)),
        model_id=model_id or shipped.id,
        valid_from=valid_from.date() if valid_from else shipped.valid_from,
        source=source or shipped.source,
    )
    text = model_toml(model)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        click.echo(f"{out}: learnt from {', '.join(place.name for place in places)}")


@rank.command()
@_data
@click.option("--json", "as_json", is_flag=True, help="Everything measured, for machines.")
def evaluate(visits_path: Path, contacts_path: Path, *, as_json: bool) -> None:
    """Rank each place by what was learnt from the others, e.g. `jejak rank evaluate`."""
    from tracing.ranking import measuring
    from tracing.ranking.places import read_places

    def tell(place: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{place}", nl=False, err=True)

    places = read_places(visits_path, contacts_path)
    measured = measuring.measure(places, tell)
    tell("")
    click.echo(measuring.as_json(measured).decode() if as_json else _tables(measured), nl=False)


def _tables(measured: Sequence["Measured"]) -> str:
    """Return what was measured as Markdown."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [_line(row) for row in measured]
    lines += [
        "",
        "| average precision | " + " | ".join(map(_name, measured)) + " |",
        "| --- |" + " --: |" * len(measured),
    ]
    lines.append("| **the model** | " + " | ".join(f"{row.precision:.3f}" for row in measured) + " |")
    for label in measured[0].hand_made if measured else ():
        lines.append(f"| {label} | " + " | ".join(f"{row.hand_made[label]:.3f}" for row in measured) + " |")
    lines += ["", "| place | said | was so | pairs |", "| --- | --: | --: | --: |"]
    for row in measured:
        lines += [f"| {_name(row)} | {band.said:.2%} | {band.was:.2%} | {band.pairs:.0f} |" for band in row.bands]
    return "\n".join(lines) + "\n"


def _line(row: "Measured") -> str:
    from tracing.ranking.measuring import MINUTES

    cells = (
        _name(row),
        f"{row.pairs:.0f}",
        f"{row.close:.0f}",
        f"{row.hand_made[MINUTES]:.3f}",
        f"{row.precision:.3f} ({row.interval[0]:.3f}–{row.interval[1]:.3f})",
        f"{row.ratio:.1f} ({row.ratio_interval[0]:.1f}–{row.ratio_interval[1]:.1f})",
        f"{row.area_by_minutes:.2f}",
        f"{row.area:.2f}",
        f"{row.brier:.5f}",
        f"{row.brier_by_rate:.5f}",
    )
    return "| " + " | ".join(cells) + " |"


def _name(row: "Measured") -> str:
    return row.place if row.zones else f"{row.place}, zones hidden"
