"""`jejak whatif`: what other rules would find of a case, now or as it was known at an instant."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from ops.embedded import running_settings
from ops.reasons import Reason
from ops.store import OPERATOR, transaction
from portal.store import append_audit
from schemas.errors import BadInput
from schemas.settings import Settings
from tracing.exports import check_folder
from tracing.files import instant_us
from tracing.instants import text_of
from tracing.rulesets import DEFAULT_RULE
from tracing.whatif.replay import Answer, answers, rules_asked
from tracing.whatif.store import read_known, read_known_at
from tracing.whatif.writing import row_of, write_answers

WIDTH_MIN: Final = 100  # rich would cut the rules' names
HEADS: Final = (
    "rule",
    "count",
    "min",
    "tail",
    "contacts",
    "expo-\nsures",
    "offices",
    "most\nfor one",
    "later +\nfound",
    "later +\nmissed",
)


class _Numbers(click.ParamType):
    """Whole numbers, with commas between them."""

    name = "numbers"

    def convert(self, value: str | list[int], param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Return the numbers, each once, in their order."""
        if isinstance(value, list):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isascii() and part.isdigit() and len(part) <= 8 for part in parts):  # noqa: PLR2004 — as the rules'
            self.fail("must be whole numbers with commas between them, like 5,10,15", param, ctx)
        return list(dict.fromkeys(map(int, parts)))


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option(
    "--rule", "rule_ids", multiple=True, help=f"Rule set, can be given several times.  [default: {DEFAULT_RULE}]"
)
@click.option("--minutes", type=_Numbers(), help="Shortest times together that count, like 5,10,15,30.")
@click.option("--tail", "tails", type=_Numbers(), help="Tails in minutes, like 0,30.")
@click.option(
    "--count", "counts", multiple=True, type=click.Choice(["visit", "24h"]), help="Ways to count, can be repeated."
)
@click.option("--as-of", "as_of", metavar="TIME", help="As it was known then, e.g. 2026-11-12T08:00+07:00.")
@click.option("--out", "out_dir", type=click.Path(path_type=Path), help="Folder for table, plot and JSON.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--reason", type=Reason(), default="", help="Why you ask; goes into the audit.")
@click.pass_obj
def whatif(
    settings: Settings,
    case_id: str,
    *,
    rule_ids: tuple[str, ...],
    minutes: list[int] | None,
    tails: list[int] | None,
    counts: tuple[str, ...],
    as_of: str | None,
    out_dir: Path | None,
    as_json: bool,
    reason: str,
) -> None:
    """Ask other rules of a case, e.g. `jejak whatif K000007 --minutes 5,10,15,30 --tail 0,30`.

    Every combination is one row: candidates of first degree, what each office would have to call, and how many who
    met the case and fell ill within the days after it the rule would have found or missed. Nothing is stored and
    nobody is told; the asking goes into the audit.
    """
    rules = rules_asked(rule_ids or (DEFAULT_RULE,), minutes or (), tails or (), counts)
    at = None if as_of is None else _instant(as_of)
    if out_dir is not None:
        check_folder(out_dir)
    with transaction(running_settings(settings), OPERATOR) as conn:
        with conn.cursor() as cur:
            cur.execute("set transaction isolation level repeatable read")
            known = read_known(cur, case_id, rules) if at is None else read_known_at(cur, case_id, rules, at)
        append_audit(conn, getpass.getuser(), "what-if asked", case_id, reason)
    found = answers(known, rules)
    header = {
        "case_id": case_id,
        "as_of": None if at is None else text_of(at, "UTC"),
        "asked_at": datetime.now(UTC),
        "day_zero": known.case.day_zero,
        "date_isolation": known.case.date_isolation,
        "visits_of_the_case": len(known.own),
        "visits_near": len(known.others),
    }
    if out_dir is not None:
        write_answers(out_dir, found, header)
    if as_json:
        click.echo(msgspec.json.encode(header | {"answers": found}).decode())
    else:
        _print(case_id, as_of, found)


def _instant(text: str) -> int:
    try:
        return instant_us(text, field="--as-of", line=0)
    except BadInput as error:
        raise BadInput(error.reason, field="--as-of") from None


def _print(case_id: str, as_of: str | None, found: list[Answer]) -> None:
    console = Console(width=max(Console().width, WIDTH_MIN))
    table = Table(
        title=f"{case_id}, as known {'now' if as_of is None else as_of}", title_justify="left", box=box.SIMPLE_HEAD
    )
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number < 2 else "right", no_wrap=True)  # noqa: PLR2004 — two columns of words
    for answer in found:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row_of(answer)))
    console.print(table)
    console.print("later +: met the case, and had an own case of a later day zero", style="dim")
