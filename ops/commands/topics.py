"""`jejak topics`: topics, Kafka users and access rules from the one table; offices' too."""

import click

from ops.embedded import running_settings
from ops.topics import make_topics
from portal.nik import known_regions
from schemas.errors import BadInput
from schemas.settings import Settings


@click.command()
@click.option("--areas", default="", metavar="CODES", help="Health offices to make: codes like 36,36.71, or all.")
@click.pass_obj
def topics(settings: Settings, areas: str) -> None:
    """Make what is missing, correct what differs; may be run again, e.g. `jejak topics --areas 36,36.71`."""
    new = make_topics(running_settings(settings), read_areas(areas))
    click.echo(f"made {len(new)} topics" + (f": {', '.join(new)}" if 0 < len(new) <= 20 else ""))  # noqa: PLR2004 — a line


def read_areas(text: str) -> list[str]:
    """Return the area codes of an option; `all` is every province and district there is or was.

    Raises:
        BadInput: a code is not known.
    """
    regions = known_regions()
    known = regions.provinces | regions.districts
    if text.strip() == "all":
        return sorted(known)
    codes = [code.strip() for code in text.split(",") if code.strip()]
    dotted = [f"{code[:2]}.{code[2:]}" if len(code) == 4 and code.isdigit() else code for code in codes]  # noqa: PLR2004 — 3671 is 36.71
    for number, code in enumerate(dotted, 1):
        if code not in known:
            raise BadInput(f"code {number} is no province or district, past or present", field="--areas")
    return dotted
