"""`jejak chains`: degrees, components, R and k of a line list and its contacts, without any server."""

import sys
from pathlib import Path

import click


@click.command()
@click.option("--linelist", required=True, type=click.Path(path_type=Path), help="L.csv: id, date_onset.")
@click.option("--contacts", required=True, type=click.Path(path_type=Path), help="K.csv: from, to, one link a row.")
@click.option("--out", "out_dir", required=True, type=click.Path(path_type=Path), help="Folder of the results.")
def chains(linelist: Path, contacts: Path, out_dir: Path) -> None:
    """Analyse who infected whom, e.g. `jejak chains --linelist L.csv --contacts K.csv --out results`."""
    from tracing.chains.writing import chains as chains_of_files

    at_terminal = sys.stderr.isatty()

    def tell(rows: int) -> None:
        click.echo(f"\r{rows:,} contacts read", nl=False, err=True)

    try:
        done = chains_of_files(linelist, contacts, out_dir, progress=tell if at_terminal else None)
    finally:
        if at_terminal:
            click.echo("\r\033[K", nl=False, err=True)  # so that an error stands alone on its line
    offspring = done.offspring
    click.echo(
        f"{done.contacts:,} contacts of {done.ids:,} ids in {done.components.count:,} components:"
        f" R {_shown(offspring.mean)}, k {_shown(offspring.k)}, {done.implausible_links:,} implausible links"
    )


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
