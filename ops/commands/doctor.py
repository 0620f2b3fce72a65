"""`jejak doctor`: what is missing or wrong here, and how to get it."""

import sys

import click

from ops.doctor import diagnose
from schemas.errors import JejakError
from schemas.settings import Settings

MARKS = {"well": ("ok", "green"), "note": ("--", "yellow"), "wrong": ("!!", "red")}


@click.command()
@click.pass_obj
def doctor(settings: Settings) -> None:
    """Look at everything and change nothing; ends with 2 when something is wrong."""
    findings = diagnose(settings)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark, colour = MARKS[finding.state]
        click.echo(f"{click.style(mark, fg=colour)} {finding.subject:<{width}}  {finding.says}")
        if finding.remedy:
            click.echo(f"   {'':<{width}}  → {finding.remedy}")
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(JejakError.exit_code)
