"""The demonstration's own facility: what its manager would have entered, its doors, and a poster at each."""

from datetime import datetime
from typing import Final

from ops.store import transaction
from portal.places import store as places
from portal.posters import gates
from portal.posters import store as doors
from portal.posters.keys import PosterKeys
from portal.posters.sheet import Sheet
from portal.registration.fields import Applied
from portal.store import ROLE
from portal.web.secret_box import portal_secrets
from schemas.events import Gate
from schemas.settings import Settings

FACILITY: Final = "InVS13"  # of the presence data: real stays of its people fill its pages
ZONES: Final = (("Bangsal Melati", "ward"), ("Ruang tunggu", "waiting"), ("Laboratorium", "laboratory"))
BY: Final = "demo"
DETAILS: Final = Applied(
    name="RS Demo Kantor Satu (InVS13)",
    kind="hospital",
    owner="government",
    licence="DEMO/445/2026",
    address="Jalan Contoh 1, Tangerang (demo)",
    sub_district="36.71.01",
    latitude=-6.1783,
    longitude=106.6319,
    responsible="Penanggung Jawab Demo",
    email="rs@demo.example",
    phone="+62 21 5550 100",
    capacity=150,
    opening_hours="24/7",
)


def open_doors(settings: Settings, url: str, now: datetime) -> list[Sheet]:
    """Give the facility its details, gates and zones; return the poster that hangs at each.

    Args:
        settings: of a demonstration, whose facility is registered.
        url: how people reach the gate: it is in the QR codes.
        now: when the posters begin to count.
    """
    keys = PosterKeys(portal_secrets(settings))
    with transaction(settings, ROLE) as conn:
        place = places.read_place(conn, FACILITY)
        places.put_details(conn, place, DETAILS)
        for zone, kind in ZONES:
            doors.put_zone(conn, place.facility_no, zone, kind)
        for kind, name, zone in (
            (Gate.ENTRANCE, "Pintu utama", ""),
            (Gate.EXIT, "Pintu utama", ""),
            *((Gate.ZONE, zone, zone) for zone, _ in ZONES),
        ):
            gates.add(conn, keys, facility_id=FACILITY, kind=kind, name=name, zone=zone, by=BY, now=now)
        return gates.sheets_of(conn, keys, FACILITY, url)
