"""`jejak replay`: recorded stays through the gate, as the scans that would have made them."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from ops.options import Number
from ops.sending import send_and_tell
from ops.stays import read_stays
from producers.gate_client import open_gate
from producers.replay import as_fast_as_possible, at_speed, last_event, replay_scans
from schemas.errors import BadInput
from schemas.events import Channel
from schemas.settings import Settings


@click.command()
@click.argument("visits_path", metavar="VISITS.csv", type=click.Path(path_type=Path))
@click.option("--speed", type=Number(min=0, min_open=True), help="Times real time, e.g. 60.")
@click.option("--as-fast-as-possible", "fast", is_flag=True, help="As fast as the gate takes them (the default).")
@click.option("--as-recorded", is_flag=True, help="At the file's own times (needs an import key), not ending now.")
@click.option("--gate", default="", metavar="URL", help="The gate; default: the one that runs here.")
@click.option("--key-file", default="", metavar="FILE", help="API key; default: JEJAK_API_KEY_FILE.")
@click.pass_obj
def replay(
    settings: Settings,
    visits_path: Path,
    *,
    speed: float | None,
    fast: bool,
    as_recorded: bool,
    gate: str,
    key_file: str,
) -> None:
    """Send the stays of a visits file as scans, e.g. `jejak replay VISITS.csv --speed 600 --key-file gate.key`.

    Unless as recorded, all times are moved so that the last stay ends now.
    """
    if speed and fast:
        raise BadInput("goes without --as-fast-as-possible", field="--speed")
    stays = read_stays(visits_path)
    last = last_event(stays)
    shift = timedelta(0) if as_recorded or last is None else datetime.now(UTC) - last
    scans = replay_scans(stays, shift, channel=Channel.IMPORT if as_recorded else Channel.APP)
    paced = at_speed(scans, speed, now_s=time.monotonic, sleep=time.sleep) if speed else as_fast_as_possible(scans)
    with open_gate(settings, gate, key_file) as client:
        send_and_tell(client, paced, len(scans))
