"""`jejak alerts`: follows one health office's topic, as that office's own consumer would; or asks what still waits."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import click
import msgspec

from ops.embedded import running_settings
from producers.follower import follow
from producers.gate_client import open_gate
from schemas.errors import BadInput, InvalidSettings
from schemas.events import Alert, AlertData
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, office_of, office_user
from tracing.cases.unacknowledged import Waiting

QUIET_S: Final = 2.0  # with --once: nothing came for so long, so that was all
ACTIONS: Final = {
    "summary": "RINGKASAN (summary)",
    "added": "BARU (added)",
    "changed": "BERUBAH (changed)",
    "withdrawn": "DICABUT (withdrawn)",
    "review": "TINJAU (review)",
}


@click.command()
@click.option("--office", "area", default="", metavar="CODE", help="Province or district code, e.g. 36 or 36.71.")
@click.option("--json", "as_json", is_flag=True, help="One CloudEvent per line, as it lies on the topic.")
@click.option("--once/--follow", default=False, help="End when nothing more comes, or wait for more (the default).")
@click.option("--unacknowledged", is_flag=True, help="Ask the gate what waits for the key's office, and end.")
@click.option("--gate", default="", metavar="URL", help="With --unacknowledged: this gate.")
@click.option("--key-file", default="", metavar="FILE", help="With --unacknowledged: the office's API key.")
@click.pass_obj
def alerts(
    settings: Settings,
    area: str,
    *,
    as_json: bool,
    once: bool,
    unacknowledged: bool,
    gate: str,
    key_file: str,
) -> None:
    """Print the alerts of a health office, e.g. `jejak alerts --office 36.71`.

    Reads with that office's own credentials, from the first alert that is kept; repeats are dropped by their id. Each
    line ends with the id that `jejak ack` takes.
    """
    if unacknowledged:
        _print_waiting(settings, gate, key_file, as_json=as_json)
        return
    office = _office(area)
    settings = running_settings(settings)
    user = office_user(office)
    if not settings.secret_file("kafka", user).exists():
        raise InvalidSettings(
            f"has no password of {user}: `jejak topics --areas {area}` makes the office's access", field="JEJAK_SECRETS"
        )
    quiet = _Quiet(time.monotonic)
    stop: Callable[[], bool] = quiet.too_long if once else lambda: False
    try:
        for alert, body in unrepeated(settings, office, user, stop):
            quiet.heard()
            click.echo(body.decode() if as_json else line_of(alert))
    except KeyboardInterrupt:
        return


def unrepeated(settings: Settings, office: str, user: str, stop: Callable[[], bool]) -> Iterator[tuple[Alert, bytes]]:
    """Yield each alert of an office once, with its bytes."""
    seen: set[str] = set()
    for record in follow(settings, ALERT_PREFIX + office, user, stop=stop):
        if record.value is None:
            continue
        alert = msgspec.json.decode(record.value, type=Alert)
        if alert.id not in seen:
            seen.add(alert.id)
            yield alert, record.value


def line_of(alert: Alert) -> str:
    """Return an alert as one line, Indonesian first."""
    data = alert.data
    due = f", karantina sebelum (due by) {data.due_by:%Y-%m-%dT%H:%M:%SZ}" if data.due_by else ""
    what = _summary(data) if data.summary is not None else _single(data)
    return f"{ACTIONS[data.action]} {data.trace_ref[:8]} rev {data.version}: {what}{due} [{alert.id}]"


def _print_waiting(settings: Settings, gate: str, key_file: str, *, as_json: bool) -> None:
    with open_gate(settings, gate, key_file) as client:
        answer = client.get("/v1/alerts")
    if as_json:
        click.echo(msgspec.json.encode(answer["alerts"]).decode())
        return
    for one in msgspec.convert(answer["alerts"], list[Waiting]):
        late = f" ESKALASI dari (escalated from) {one.office}" if one.escalated else ""
        told = line_of(Alert(id=one.alert_id, time=one.made_at, data=one.data))
        click.echo(f"{one.made_at:%Y-%m-%dT%H:%M:%SZ}{late} {told}")


def _summary(data: AlertData) -> str:
    assert data.summary is not None
    found = data.summary
    by_minutes = ", ".join(f"{band} menit (min): {number}" for band, number in found.by_minutes.items())
    by_role = ", ".join(f"{role}: {number}" for role, number in found.by_role.items())
    return (
        f"{found.candidates} kandidat kontak erat (candidates), {found.sent_one_by_one} satu per satu (one by one);"
        f" {by_minutes}; {by_role}"
    )


def _single(data: AlertData) -> str:
    if not data.facility_id:
        return data.reason  # it is about the whole trace
    rank = f"#{data.rank} " if data.rank else ""
    case = ", sudah kasus (already a case)" if data.already_case else ""
    likely = f" peluang (probability) {data.probability_band} %," if data.probability_band else ""
    return (
        f"{rank}{data.contact_ref} {data.facility_name} {data.date}, {data.minutes_band} menit (min),{likely}"
        f" {data.reason}{case}"
    )


class _Quiet:
    """Knows how long nothing came."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._since: float | None = None

    def heard(self) -> None:
        self._since = self._now_s()

    def too_long(self) -> bool:
        """Say whether it has been quiet for too long; counts from when it is first asked."""
        if self._since is None:
            self.heard()
        assert self._since is not None
        return self._now_s() - self._since > QUIET_S


def _office(area: str) -> str:
    if not area:
        raise BadInput("is needed", field="--office")
    try:
        return office_of(area)
    except ValueError as error:
        raise BadInput(str(error), field="--office") from error
