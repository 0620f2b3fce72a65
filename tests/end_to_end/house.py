"""A whole installation for a test: servers, services, a register of facilities and keys, in a home of its own."""

import csv
import io
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ops.commands.up import running_installation
from ops.demo.keys import Holder, make_demo_keys
from ops.embedded import Servers
from ops.registering import register_file
from ops.store import OPERATOR, areas_of_facilities, autocommit
from ops.supervisor import Service, Supervisor
from ops.topics import make_topics
from portal.identity import normalise, open_vault
from producers.gate_client import GateClient, open_gate
from schemas.settings import Settings
from tracing.counts import Counts
from tracing.instants import text_of
from tracing.pair import person_minutes

ZONE = "Asia/Jakarta"
FACILITIES = """facility_id,name,kind,owner,time_zone,district
RS-A,RS Satu,hospital,government,Asia/Jakarta,36.71
PKM-B,Puskesmas Dua,puskesmas,government,Asia/Jakarta,36.71
KLN-C,Klinik Tiga,clinic,private,Asia/Jakarta,31.71
LAB-D,Labkesda,laboratory,government,Asia/Jakarta,36.71
"""
KINDS = {"RS-A": "hospital", "PKM-B": "puskesmas", "KLN-C": "clinic", "LAB-D": "laboratory"}
HOLDERS = {
    "import": Holder("import", "import", area="all"),
    "gate": Holder("gate", "gate-a", facility="RS-A"),
    "gates": Holder("gate", "gates", area="all"),
    "laboratory": Holder("laboratory", "labkesda", facility="LAB-D"),
    "sari": Holder("epidemiologist", "dr-sari", area="36"),
    "budi": Holder("epidemiologist", "dr-budi", area="36"),
    "office": Holder("office", "dinkes-tangerang", area="36.71"),
}


class House:
    """The running installation, and what a test asks of it."""

    def __init__(self, servers: Servers, supervisor: Supervisor) -> None:
        self.settings: Settings = servers.settings
        self.servers = servers
        self.supervisor = supervisor
        self.keys: dict[str, Path] = {}

    def furnish(self, folder: Path) -> None:
        """Register the facilities, make offices and keys."""
        path = folder / "facilities.csv"
        path.write_text(FACILITIES)
        register_file(self.settings, path)
        make_topics(self.settings, areas_of_facilities(self.settings))
        self.keys = make_demo_keys(self.settings, HOLDERS)

    @contextmanager
    def gate(self, holder: str) -> Iterator[GateClient]:
        """Open the gate with somebody's key."""
        with open_gate(self.settings, key_file=str(self.keys[holder])) as client:
            yield client

    def service(self, name: str) -> Service:
        """Return one of our processes."""
        return next(
            child
            for group in self.supervisor.groups
            for child in group
            if isinstance(child, Service) and child.name == name
        )

    def kill(self, name: str) -> None:
        """End a process as a power cut would; the supervisor starts it again."""
        process: subprocess.Popen[bytes] | None = self.service(name).process
        assert process is not None
        process.kill()
        process.wait()
        self.supervisor.tick()

    def wait_until(self, true: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Look after the processes until something holds; fail when it does not in time."""
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, "it did not come true in time"
            self.supervisor.tick()
            time.sleep(0.05)

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the operator."""
        with autocommit(self.settings, OPERATOR) as conn, conn.cursor() as cur:
            cur.execute(sql, values)
            return list(cur.fetchall())

    def ledger(self) -> dict[str, int]:
        """Return what the visits fold has counted."""
        names = ("applied", "duplicate", "dead")
        sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in names)
        (row,) = self.ask(f"select {sums} from position where topic = 'scan.v1'")  # noqa: S608 — three constants
        return dict(zip(names, row, strict=True))

    def visits_as_a_file(self, persons: Iterable[str]) -> str:
        """Return the stored visits as `jejak pair` would write them, persons by what the gate was told."""
        names = self._names(persons)
        rows = [
            (
                names[person],
                facility,
                check_in,
                check_out,
                str(in_estimated).lower(),
                str(out_estimated).lower(),
            )
            for person, facility, check_in, check_out, in_estimated, out_estimated in self.ask(
                "select replace(person::text, '-', ''), facility_id,"
                " (extract(epoch from check_in) * 1000000)::bigint, (extract(epoch from check_out) * 1000000)::bigint,"
                " check_in_estimated, check_out_estimated"
                " from every_visit join facility on facility_no = key >> 3"
            )
        ]
        rows.sort(key=lambda row: (row[0], row[2], row[3]))
        header = ("person_id", "facility_id", "check_in", "check_out", "check_in_estimated", "check_out_estimated")
        return _csv(header, [(r[0], r[1], text_of(r[2], ZONE), text_of(r[3], ZONE), r[4], r[5]) for r in rows])

    def counts_as_a_file(self) -> str:
        """Return the stored counts, shards summed, as `jejak pair` would write them."""
        fields = Counts.__struct_fields__
        sums = ", ".join(f"sum({name})::bigint" for name in fields)
        rows = [
            (facility, hour, Counts(*counts))
            for facility, hour, *counts in self.ask(
                f"select facility_id, (extract(epoch from hour) * 1000000)::bigint, {sums}"  # noqa: S608 — constants
                " from facility_hour join facility using (facility_no) group by 1, 2"
            )
        ]
        rows = [row for row in rows if msgspec.structs.replace(row[2], manual=0, flagged=0) != Counts()]
        rows.sort(key=lambda row: (row[0], row[1]))
        header = (
            *("facility_id", "hour_start", "arrivals", "departures", "visitors"),
            *("person_minutes", "estimated", "refused"),
        )
        return _csv(
            header,
            [
                (
                    *(facility, text_of(hour, ZONE), c.arrivals, c.departures, c.visitors),
                    *(person_minutes(c.person_us), c.estimated, c.refused),
                )
                for facility, hour, c in rows
            ],
        )

    def _names(self, persons: Iterable[str]) -> dict[str, str]:
        wanted = sorted(set(persons))
        with autocommit(self.settings, "jejak_gate") as conn:
            conn.autocommit = False
            vault = open_vault(conn, self.settings)
            ids = vault.person_ids(conn, [normalise("test", person, "", demo=True) for person in wanted])
            conn.commit()
        return dict(zip(ids, wanted, strict=True))


@contextmanager
def running_house(home: Path, **settings: Any) -> Iterator[House]:
    """Run a house in `home`; everything is stopped at the end."""
    own = Settings(home=home, demo=True, port=0, **settings)
    with running_installation(own, lambda _: None) as (servers, supervisor):
        house = House(servers, supervisor)
        house.furnish(home)
        yield house


def _csv(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
