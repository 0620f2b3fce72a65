"""The acts of the demonstration, each one a use of the product as its users use it: over HTTP, topics and keys."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any, Final

import msgspec

from ops.demo.accounts import Login, make_demo_accounts
from ops.demo.certificates import Shown, seed_certificates
from ops.demo.facility import FACILITY, open_doors
from ops.demo.keys import Holder, make_demo_keys
from ops.demo.office import OfficeDesk
from ops.demo.screen import Screen, counts_table
from ops.demo.store import Folded, alerts_written, busiest_hours, read_folded
from ops.registering import register_file, register_town
from ops.services import gate_url
from ops.stays import read_stays
from ops.store import OPERATOR, areas_of_facilities, autocommit
from ops.topics import make_topics
from portal.posters.sheet import Sheet
from producers import presence
from producers.gate_client import open_gate
from producers.gate_scans import GateScan, Sent, send_scans
from producers.replay import last_event, replay_scans, subject_of
from producers.scan_ids import scan_id
from producers.town.files import gate_scan
from producers.town.people import Town, build_town
from producers.town.scanning import town_scans
from schemas.errors import Unavailable
from schemas.events import Assurance, Channel, Kind
from schemas.settings import Settings
from schemas.topics import office_of

OFFICE_AREA: Final = "36.71"  # Kota Tangerang: where the presence data's hospitals are set
INDEX: Final = "InVS13-205"  # a real person of the presence data, present on its last day
SUSPECT: Final = "InVS13-101"  # another: a trace of him waits for an approval
PEOPLE: Final = 5_000
FACILITIES: Final = 400
SEED: Final = 1
WAIT_S: Final = 60.0
TICK_S: Final = 0.1


class Answer(msgspec.Struct, frozen=True):
    """What `jejak demo --once` prints as its last line."""

    scans_accepted: int
    visits: int
    contacts: int
    alerts_received: int
    positive_to_alert_ms: float
    broker: str
    database: str


class Stage:
    """A running, empty installation and the people on it."""

    def __init__(self, settings: Settings, screen: Screen, tick: Callable[[], None]) -> None:
        self.settings = settings
        self.screen = screen
        self.tick = tick  # looks after the services while we wait
        self.town: Town = build_town(seed=SEED, people=PEOPLE, facilities=FACILITIES)
        self.known: list[Shown] = []  # people whom an officer may look up
        self.laboratory = next(
            place.facility_id
            for place in self.town.places
            if place.kind is Kind.LABORATORY and place.district == OFFICE_AREA
        )

    def prepare(self) -> dict[str, str]:
        """Register the facilities, make offices and keys; return the key files by their holders' names."""
        number = register_file(self.settings, presence.FACILITIES) + register_town(self.settings, self.town)
        areas = areas_of_facilities(self.settings)
        make_topics(self.settings, areas)
        self.screen.say(f"{number} facilities registered; health offices: {', '.join(areas)}")
        holders = {
            "import": Holder("import", "demo-import", area="all"),
            "registry": Holder("registry", "demo-registry"),
            "gate": Holder("gate", "demo-gate", facility="InVS13"),
            "laboratory": Holder("laboratory", "demo-laboratory", facility=self.laboratory),
            "epidemiologist-1": Holder("epidemiologist", "demo-dr-sari", area="36"),
            "epidemiologist-2": Holder("epidemiologist", "demo-dr-budi", area="36"),
            "office": Holder("office", "demo-dinkes-kota-tangerang", area=OFFICE_AREA),
        }
        return {name: str(path) for name, path in make_demo_keys(self.settings, holders).items()}

    def settle(self) -> tuple[list[Login], list[Sheet]]:
        """Open the demo facility's doors and make the accounts; return how to sign in, and the posters."""
        sheets = open_doors(self.settings, gate_url(self.settings), datetime.now(UTC))
        logins = make_demo_accounts(self.settings, FACILITY)
        self.screen.say(f"{len(logins)} demo accounts; {len(sheets)} posters at {FACILITY}")
        doses, self.known = seed_certificates(self.settings, self.town)
        self.screen.say(f"{doses:,} vaccinations of the town in the certificate registry")
        return logins, sheets

    def ask_for_a_trace(self, key_file: str) -> None:
        """Ask for a trace of somebody, so that a second person has something to approve."""
        now = datetime.now(UTC)
        body = {
            "request_id": scan_id(now, 1, "demo", SUSPECT),
            "subject": msgspec.to_builtins(subject_of(SUSPECT)),
            "reason": "demo: fever, waits for a second person",
            "date_onset": now.date().isoformat(),
        }
        with open_gate(self.settings, key_file=key_file) as epidemiologist:
            epidemiologist.post("/v1/traces", body)

    def play_scans(self, key_file: str) -> tuple[int, int]:
        """Send the presence data and the town's yesterday; return (scans accepted, visits) once all is folded."""
        sent = Sent()
        with open_gate(self.settings, key_file=key_file) as client:
            sending = _InThread(lambda: send_scans(client, self._scans(), sent=sent))
            folded = self._watch(sending, sent)
        self.screen.say(f"{sent.line()}; folded into {folded.visits:,} visits, {folded.dead} dead letters")
        return sent.accepted, folded.visits

    def flag_positive(self, key_file: str, reader_key_file: str) -> tuple[dict[str, Any], OfficeDesk, float]:
        """Report a final positive; return the trace, the office's desk and the milliseconds until its first notice."""
        office = OfficeDesk(self.settings, office_of(OFFICE_AREA))
        with open_gate(self.settings, key_file=key_file) as laboratory:
            now = datetime.now(UTC)
            result_id = scan_id(now, 0, "demo", INDEX)
            sent_at = monotonic()
            laboratory.post("/v1/test-results", _positive(result_id, now))
            office.wait_for(1, WAIT_S)
            first_at = office.first_read_at()
            if first_at is None:
                raise Unavailable(f"no notice arrived within {WAIT_S:.0f} s; see {self.settings.home / 'logs'}")
            case_id = str(self._wait(lambda: laboratory.get(f"/v1/test-results/{result_id}").get("case_id")))
        with open_gate(self.settings, key_file=reader_key_file) as epidemiologist:
            trace = epidemiologist.get(f"/v1/traces/{case_id}")
        return trace, office, (first_at - sent_at) * 1000

    def alerts_of(self, case_id: str, office: OfficeDesk) -> list[Any]:
        """Return all notices the office was to get of this case, once they are there."""
        with autocommit(self.settings, OPERATOR) as conn, conn.cursor() as cur:
            written = alerts_written(cur, case_id, office_of(OFFICE_AREA))
        return list(office.wait_for(written, WAIT_S))

    def _scans(self) -> Iterator[GateScan]:
        stays = read_stays(presence.VISITS)
        last = last_event(stays)
        assert last is not None
        now = datetime.now(UTC)
        for recorded in replay_scans(stays, now - last, channel=Channel.APP):
            yield msgspec.structs.replace(recorded, assurance=Assurance.OTP)  # or every reason would end in a doubt
        yesterday = (now + timedelta(hours=7)).date() - timedelta(days=1)
        for scan in town_scans(self.town, yesterday, 1):
            yield gate_scan(self.town, scan)

    def _watch(self, sending: "_InThread", sent: Sent) -> Folded:
        deadline = None
        with autocommit(self.settings, OPERATOR) as conn, conn.cursor() as cur, self.screen.counting() as live:
            while True:
                self.tick()
                folded = read_folded(cur)
                if live is not None:
                    live.update(counts_table(sent, folded, busiest_hours(cur, 8)))
                if sending.is_over():
                    if folded.records >= sent.accepted:
                        break
                    deadline = deadline or monotonic() + WAIT_S
                    if monotonic() > deadline:
                        raise Unavailable(f"the fold stands still; see {self.settings.home / 'logs'}")
                sleep(TICK_S)
            self.screen.console.print(counts_table(sent, folded, busiest_hours(cur, 8)))
        return folded

    def _wait(self, ask: Callable[[], object]) -> object:
        deadline = monotonic() + WAIT_S
        while not (answer := ask()):
            if monotonic() > deadline:
                raise Unavailable(f"no answer within {WAIT_S:.0f} s; see {self.settings.home / 'logs'}")
            self.tick()
            sleep(0.05)
        return answer


class _InThread:
    """Runs a call beside us and gives its error to whoever asks whether it is over."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._failure: BaseException | None = None

        def run() -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 — raised again in `is_over`
                self._failure = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def is_over(self) -> bool:
        """Say whether the call has returned; raises what it raised."""
        if self._thread.is_alive():
            return False
        if self._failure is not None:
            raise self._failure
        return True


def _positive(result_id: str, now: datetime) -> dict[str, object]:
    return {
        "result_id": result_id,
        "subject": msgspec.to_builtins(subject_of(INDEX)),
        "lab_ref": f"DEMO/{now:%Y%m%d%H%M%S}",
        "test": "pcr",
        "result": "positive",
        "status": "final",
        "specimen_at": now.isoformat(),
        "reported_at": now.isoformat(),
    }
