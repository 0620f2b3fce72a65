"""`jejak trace`: the contacts of cases from files of visits and cases, without any server."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from getpass import getuser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import click

from tracing.filetrace.decision import Engine, Trace
from tracing.filetrace.package import Question, Tell
from tracing.filetrace.run import trace_files
from tracing.rulesets import DEFAULT_RULE, rule_of

_NUMBER: Final = click.IntRange(0, 10_000_000)


@click.command()
@click.option("--visits", "visits_path", required=True, type=click.Path(path_type=Path), help="V.csv, a visit a row.")
@click.option("--cases", "cases_path", required=True, type=click.Path(path_type=Path), help="C.csv, a case a row.")
@click.option("--out", "out_dir", required=True, type=click.Path(path_type=Path), help="Folder of the results.")
@click.option("--rule", "rule_id", default=DEFAULT_RULE, show_default=True, help="Rule set; custom needs --minutes.")
@click.option("--minutes", type=_NUMBER, help="Shortest time together that counts.")
@click.option("--count", type=click.Choice(["visit", "24h"]), help="One overlap, or the sum inside any 24 hours.")
@click.option("--tail-minutes", type=_NUMBER, help="How long the air stays dangerous after a recorded check-out.")
@click.option("--days-before", type=_NUMBER, help="Days before day zero (onset, else specimen).")
@click.option("--days-after", type=_NUMBER, help="Days after it.")
@click.option("--degrees", type=click.Choice(["1", "2"]), default="1", show_default=True, help="2: contacts' contacts.")
@click.option(
    "--direction",
    type=click.Choice(["forward", "backward", "both"]),
    default="forward",
    show_default=True,
    help="Contacts, possible sources, or both.",
)
@click.option("--latent-hours", type=_NUMBER, help="A contact passes it on no earlier.")
@click.option("--contact-days", type=_NUMBER, help="Nor later than so many days after the last exposure.")
@click.option("--timezone", "time_zone", default="Asia/Jakarta", show_default=True, help="Whose days are meant.")
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
@click.option("--by", "asked_by", default=None, help="Who asks; default: your login name.")
@click.option("--reason", default="", help="Why; both stand in trace.json and in the report.")
@click.option("--language", type=click.Choice(["id", "en"]), default="id", show_default=True, help="Of report.html.")
@click.option(
    "--report-cases",
    type=click.IntRange(1, 1000),
    default=25,
    show_default=True,
    help="How many cases report.html tells in detail: those with most candidates.",
)
def trace(
    visits_path: Path,
    cases_path: Path,
    out_dir: Path,
    rule_id: str,
    degrees: str,
    direction: Literal["forward", "backward", "both"],
    time_zone: str,
    engine: str,
    asked_by: str | None,
    reason: str,
    language: Literal["id", "en"],
    report_cases: int,
    **values: str | int | None,
) -> None:
    """Trace the contacts of cases in files, e.g. `jejak trace --visits V.csv --cases C.csv --out results`."""
    question = Question(
        rule=rule_of(rule_id, **values),
        degrees=2 if degrees == "2" else 1,
        direction=direction,
        time_zone=time_zone,
        asked_by=_login_name() if asked_by is None else asked_by,
        asked_at=datetime.now(UTC),
        reason=reason,
        language=language,
        report_cases=report_cases,
    )
    at_terminal = sys.stderr.isatty()

    def tell(what: str, number: int) -> None:
        if at_terminal:
            click.echo(f"\r\033[K{number:,} {what}", nl=False, err=True)

    try:
        with _engine(engine, tell) as how:
            done = trace_files(visits_path, cases_path, out_dir, question, tell=tell, engine=how, engine_name=engine)
    finally:
        if at_terminal:
            click.echo("\r\033[K", nl=False, err=True)  # so that an error stands alone on its line
    rows = done.rows
    click.echo(
        f"{done.visits:,} visits, {done.cases:,} cases: {rows['contacts.csv']:,} contacts by"
        f" {rows['exposures.csv']:,} exposures, {rows['sources.csv']:,} possible sources"
    )


@contextmanager
def _engine(name: str, tell: Tell) -> Iterator[Engine]:
    """Yield what finds the exposures; Spark starts only when it is asked for."""
    if name == "local":
        yield Trace
        return
    from ops.spark import progress, spark_session
    from tracing.bulk.filetrace import SparkTrace

    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        session = stack.enter_context(spark_session(os.environ))
        stack.enter_context(progress(session, lambda done, of: tell(f"of {of:,} tasks", done)))
        yield partial(SparkTrace, session, Path(folder))


def _login_name() -> str:
    """Return who runs this; in a container nobody may have that user's name."""
    try:
        return getuser()
    except (KeyError, OSError):
        return ""
