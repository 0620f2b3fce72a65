"""`jejak demo`: the whole product on one screen, on servers of its own."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from ops.commands.up import gate_url, running_installation, stoppable
from ops.demo.accounts import Login
from ops.demo.play import INDEX, OFFICE_AREA, Answer, Stage
from ops.demo.screen import Screen
from ops.embedded import Servers
from ops.embedded.home import held_home, is_free, stop_orphans
from ops.embedded.jars import kafka_version
from ops.store import server_version
from ops.supervisor import Supervisor
from portal.posters.sheet import Sheet
from schemas.settings import Settings


@click.command()
@click.option("--once", is_flag=True, help="End after the notice; the last line of stdout is one JSON object.")
@click.pass_obj
def demo(settings: Settings, *, once: bool) -> None:
    """Play real stays and a synthetic town, flag a positive, and see the notice arrive.

    Everything is kept below the home's folder `demo`, emptied at every start.
    """
    screen = Screen()
    own = msgspec.structs.replace(
        settings,
        home=settings.home / "demo",
        secrets="",
        kafka="",
        database="",
        demo=True,
        port=settings.port if is_free(settings.port) else 0,
    )
    _empty(own.home)
    screen.say("a demonstration: people, keys and accounts of it are invented and marked as demo")
    with stoppable(unfinished=once), running_installation(own, screen.say) as (servers, supervisor):
        answer = _play(servers, supervisor, screen, goes_on=not once)
        click.echo(msgspec.json.encode(answer).decode())
        sys.stdout.flush()
        if not once:
            screen.say("Ctrl-C stops everything")
            supervisor.run(until=lambda: False)


def _play(servers: Servers, supervisor: Supervisor, screen: Screen, *, goes_on: bool) -> Answer:
    stage = Stage(servers.settings, screen, supervisor.tick)
    keys = stage.prepare()
    logins, sheets = stage.settle()
    screen.act("1  Scans flow in: 3,085 real stays and a day of a synthetic town, through the HTTP gate")
    accepted, visits = stage.play_scans(keys["import"])
    screen.act(f"2  A laboratory reports {INDEX} positive: who was there at the same time?")
    trace, office, first_ms = stage.flag_positive(keys["laboratory"], keys["epidemiologist-1"])
    screen.contacts(trace)
    screen.act(f"3  The notice at the health office of {OFFICE_AREA}, {first_ms:.0f} ms after the positive")
    alerts = stage.alerts_of(trace["case_id"], office)
    office.close()
    for alert in alerts[:2]:
        screen.alert(alert)
    screen.say(f"{len(alerts)} notices received by this office")
    if goes_on:  # with --once the servers are gone before anybody could
        stage.ask_for_a_trace(keys["epidemiologist-1"])
        screen.act("4  Go on from here: as whom you like")
        code = f"JEJAK_HOME={servers.settings.home} ./jejak accounts code E-MAIL"
        screen.logins([_login(servers.settings, login) for login in logins], code)
        screen.places(_places(servers.settings, keys, trace["case_id"], sheets))
        screen.places([(f"to look up: {one.colour}", f"NIK {one.nik}, {one.name}") for one in stage.known])
    return Answer(
        scans_accepted=accepted,
        visits=visits,
        contacts=len(trace["contacts"]),
        alerts_received=len(alerts),
        positive_to_alert_ms=round(first_ms, 1),
        broker=f"Apache Kafka {kafka_version()}",
        database=server_version(servers.settings),
    )


def _empty(home: Path) -> None:
    """Remove what an earlier demonstration left; one that still runs is a Conflict."""
    if not home.exists():
        return
    with held_home(home):
        stop_orphans(home)
    shutil.rmtree(home)


def _login(settings: Settings, login: Login) -> tuple[str, ...]:
    """Return where somebody goes, and how he signs in."""
    persona = login.persona
    code = "is asked for" if login.otpauth else "none"
    return persona.name, f"{gate_url(settings)}{persona.way}", persona.email, login.password, code


def _places(
    settings: Settings, keys: Mapping[str, str], case_id: str, sheets: Sequence[Sheet]
) -> list[tuple[str, str]]:
    url, home = gate_url(settings), settings.home
    doctor = keys["epidemiologist-1"]
    command = f"JEJAK_HOME={home} ./jejak"
    return [
        ("pages", f"{url}  (mail that would be sent: {url}/kotak-keluar; interface: {url}/schema)"),
        ("case", f"{case_id}: {url}/pelacakan/{case_id}"),
        *((f"poster: {sheet.kind.value} {sheet.name}", sheet.link) for sheet in sheets[:2]),
        ("contacts", f"{command} trace-show {case_id}"),
        ("notices", f"{command} alerts --office {OFFICE_AREA}"),
        (
            "decide",
            f"{command} decide {case_id} CONTACT confirmed --reason interview --key-file {doctor}",
        ),
        ("more scans", f"{command} town --send --key-file {keys['import']}"),
        *((f"demo key: {name}", path) for name, path in keys.items()),
    ]
