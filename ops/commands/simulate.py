"""`jejak simulate`: many deterministic worlds of the fold and its consumer protocol, each with its own faults."""

from time import monotonic

import click


@click.command()
@click.option("--schedules", default=10_000, show_default=True, type=click.IntRange(min=1), help="How many worlds.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the first world.")
@click.pass_context
def simulate(context: click.Context, schedules: int, seed: int) -> None:
    """Run the fold's protocol in memory under kills and rebalances, e.g. `jejak simulate --schedules 1000`.

    Ends with 1 and the shortest schedule that goes wrong, if one does.
    """
    from ops.simulation.search import search

    began = monotonic()
    failure = search(iter(range(seed, seed + schedules)))
    if failure is None:
        rate = schedules / (monotonic() - began)
        click.echo(f"{schedules:,} schedules, {rate:,.0f}/s, none goes wrong")
        return
    click.echo(f"seed {failure.seed} goes wrong: {failure.reason}")
    for number, action in enumerate(failure.told, 1):
        click.echo(f"{number:3} {action}")
    context.exit(1)
