"""What the witness sends: people at facilities, as phones, kiosks and officers would send them. A function of the seed.

Every fiftieth person walks along the edges of the rules, a microsecond to either side: ten minutes exactly, the
longest stay exactly, one instant for two scans. `ward` is a case with contacts on the edges of the exposure rule.
Standard library only.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Any, Final, NamedTuple

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EDGE_EVERY: Final = 50
EVENING: Final = 11 * HOUR  # after a ward's morning; long after everybody else has left
# An inpatient whose exit is missing fills seven hundred hours: as rare as in a town.
ROLES: Final = (*(("unknown", "outpatient", "outpatient", "visitor", "staff", "companion") * 5), "inpatient")
LENGTHS: Final = (*((8 * MINUTE, 35 * MINUTE, 2 * HOUR, 5 * HOUR) * 4), 20 * HOUR, 70 * HOUR)
CHANNELS: Final = ("app", "app", "app", "kiosk", "officer")
ZONES: Final = ("igd", "poli umum", "bangsal A", r"ruang\t2", "laboratorium")

Body = dict[str, Any]


class Place(NamedTuple):
    """A facility of the run; its clock is `offset_h` hours ahead of UTC all year."""

    facility_id: str
    kind: str
    time_zone: str
    district: str
    offset_h: float


class Step(NamedTuple):
    """One scan of one person, before it has an id."""

    at: int
    place: Place
    gate: str
    more: Body


PLACES: Final = (
    *(
        Place(f"{kind[:3].upper()}-{district}", kind, zone, district, offset)
        for zone, district, offset in (
            ("Asia/Jakarta", "36.71", 7),
            ("Asia/Jakarta", "31.71", 7),
            ("Asia/Makassar", "73.71", 8),
            ("Asia/Jayapura", "91.71", 9),
        )
        for kind in ("hospital", "puskesmas", "clinic", "laboratory")
    ),
    # No clock of Indonesia's, but on its clocks nobody can tell a local hour from one of UTC.
    Place("CLI-NEPAL", "clinic", "Asia/Kathmandu", "31.71", 5.75),
)
HOSPITALS: Final = tuple(place for place in PLACES if place.kind == "hospital")
LONGEST_OF_OTHERS: Final = DAY  # what is no hospital


def person_scans(seed: int, number: int, until: int, span_days: int = 7) -> list[Body]:
    """Return all scans of one person, none later than `until` (microseconds since 1970), in no order that matters."""
    rng = Random(f"{seed}|person|{number}")  # noqa: S311 — a simulation
    if number % EDGE_EVERY == 0:
        steps = list(_edges(rng, until - rng.randrange(2 * HOUR, (span_days - 2) * DAY)))
    else:
        steps = list(_stays(rng, until, span_days))
    who = f"p{seed}-{number}"
    scans = [_body(rng, who, step) for step in steps if step.at <= until]
    if number % EDGE_EVERY == 1 and scans:  # two persons' scans may have one id
        twin = person_scans(seed, number - 1, until, span_days)
        scans[0]["scan_id"] = twin[0]["scan_id"] if twin else scans[0]["scan_id"]
    return scans


def probe(seed: int, number: int, until: int) -> Body:
    """Return one scan of somebody who comes once."""
    rng = Random(f"{seed}|probe|{number}")  # noqa: S311 — a simulation
    return _body(rng, f"o{seed}-{number}", Step(until - rng.randrange(DAY), rng.choice(PLACES), "entrance", {}))


def invalid_scan(rng: Random, until: int) -> Body:
    """Return a scan the gate must refuse."""
    body = _body(rng, "p-invalid", Step(until - HOUR, PLACES[0], "entrance", {}))
    spoilt: tuple[Body, ...] = (
        {"at": instant_text(until + 30 * DAY)},
        {"at": instant_text(until - 40 * DAY)},
        {"facility_id": "TIDAK-ADA"},
        {"gate": "window"},
        {"zone": "a\u0007b"},
        {"subject": {"type": "nik", "value": "9999999999999999"}},
    )
    return body | rng.choice(spoilt)


def rewritten(body: Body) -> Body:
    """Return the same scan as another clock would write it: to the receiver it must be the same."""
    return body | {"at": instant_of(body).astimezone(timezone(timedelta(hours=-3))).isoformat()}


def contradicting(body: Body) -> Body:
    """Return another scan under the same id: what came first must stand."""
    return body | {"zone": "elsewhere", "gate": "exit" if body["gate"] == "entrance" else "entrance"}


def mixed(rng: Random, bodies: list[Body]) -> list[Body]:
    """Return the scans in no order, but every second person's own in the order of time."""
    bodies = rng.sample(bodies, len(bodies))
    places: dict[str, list[int]] = {}
    for place, body in enumerate(bodies):
        if body["subject"]["value"][-1] in "02468":
            places.setdefault(body["subject"]["value"], []).append(place)
    for some in places.values():
        in_order = sorted((bodies[place] for place in some), key=lambda body: (instant_of(body), body["scan_id"]))
        for place, body in zip(some, in_order, strict=True):
            bodies[place] = body
    return bodies


def instant_of(body: Body) -> datetime:
    """Return when a scan was made."""
    return datetime.fromisoformat(body["at"])


def heartbeat(seed: int, number: int, now: int) -> Body:
    """Return a negative result, which changes no case."""
    rng = Random(f"{seed}|heartbeat|{number}")  # noqa: S311 — a simulation
    return _result(rng, f"h{seed}-{number % 40}", f"H{seed}/{number}", now - DAY, "negative")


class Ward(NamedTuple):
    """A case to be, everybody he met, the scans that come after its trace has run, and the result that opens it."""

    scans: list[Body]
    late: list[Body]
    result: Body


def ward(seed: int, number: int, until: int) -> Ward:
    """Return a case whose contacts stand on the edges of the exposure rule."""
    rng = Random(f"{seed}|ward|{number}")  # noqa: S311 — a simulation
    place = HOSPITALS[number % len(HOSPITALS)]
    local = EPOCH + timedelta(microseconds=until - 3 * DAY + place.offset_h * HOUR)
    onset = local.date()
    index = f"w{seed}-{number}-index"
    scans = [_body(rng, who, step) for who, step in _ward_steps(index, place, onset) if step.at <= until]
    late = [_body(rng, who, step) for who, step in _late_steps(index, place, onset, number) if step.at <= until]
    dates: Body = {"date_onset": onset.isoformat()}
    if number % 2:
        dates["date_isolation"] = onset.isoformat()
    if number % 3 == 2:  # noqa: PLR2004 — a third: day zero is then the specimen's day
        dates.pop("date_onset")
    specimen = day_start(onset, 7) + 30 * MINUTE
    return Ward(scans, late, _result(rng, index, f"W{seed}/{number}", specimen, "positive") | dates)


def day_start(day: date, offset_h: float) -> int:
    """Return the local midnight that begins a day."""
    since = datetime(day.year, day.month, day.day, tzinfo=UTC) - EPOCH
    return since // timedelta(microseconds=1) - int(offset_h * HOUR)


def instant_text(at: int, offset_h: float = 0) -> str:
    """Return an instant in ISO 8601, as a clock so many hours ahead of UTC shows it."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(timezone(timedelta(hours=offset_h))).isoformat()


def _stays(rng: Random, until: int, span_days: int) -> Iterator[Step]:
    for _ in range(rng.randint(3, 8)):
        place = rng.choice(PLACES)
        start = until - rng.randrange(10 * MINUTE, span_days * DAY)
        if rng.random() < 0.2:  # noqa: PLR2004 — the share of those who come on the hour
            start -= start % HOUR
        length = int(rng.choice(LENGTHS) * rng.random())
        more = {"role": rng.choice(ROLES), "channel": rng.choice(CHANNELS)}
        if rng.random() < 0.05:  # noqa: PLR2004 — the share of those who are turned away
            yield Step(start, place, "entrance", more | {"admitted": False, "refused_reason": "penuh"})
            continue
        for share, at, gate in (
            (0.9, start, "entrance"),
            (0.3, start + length // 2, "zone"),
            (0.7, start + length, "exit"),
        ):
            if rng.random() < share:
                yield Step(at, place, gate, more)
                if rng.random() < 0.08:  # noqa: PLR2004 — the share of those who scan twice
                    yield Step(at + rng.randrange(12 * MINUTE), place, gate, more)


def _edges(rng: Random, start: int) -> Iterator[Step]:
    """Yield scans on the edges of the pairing rules; `start` is far enough from now for most of them."""
    place = rng.choice([place for place in PLACES if place.kind != "hospital"])
    other = rng.choice(PLACES)
    hour = start - start % HOUR
    ten, off = 10 * MINUTE, rng.choice((0, 1))
    scripts: tuple[tuple[tuple[int, Place, str], ...], ...] = (
        ((0, place, "entrance"), (ten + off, place, "entrance"), (ten + 20 * MINUTE, place, "exit")),
        ((0, place, "entrance"), (HOUR, place, "exit"), (HOUR + ten + off, place, "exit")),
        ((0, place, "entrance"), (LONGEST_OF_OTHERS + off, place, "exit")),
        ((0, place, "entrance"), (LONGEST_OF_OTHERS + off, place, "zone"), (LONGEST_OF_OTHERS + HOUR, place, "exit")),
        ((0, place, "entrance"), (30 * MINUTE, place, "exit"), (30 * MINUTE, place, "entrance")),
        ((0, place, "entrance"), (0, other, "entrance"), (40 * MINUTE, other, "exit")),
        ((0, place, "entrance"), (HOUR, place, "exit"), (HOUR + 20 * MINUTE, other, "exit")),
        ((0, place, "entrance"), (HOUR, place, "exit"), (2 * HOUR, place, "entrance"), (2 * HOUR, place, "exit")),
        ((0, place, "entrance"), (3 * HOUR, place, "entrance"), (3 * HOUR + ten + off, place, "zone")),
        ((0, place, "zone"), (5 * HOUR, other, "entrance")),
        ((0, place, "exit"), (ten + off, place, "exit"), (ten + off + ten, place, "exit")),
    )
    more = {"role": rng.choice(ROLES), "channel": rng.choice(CHANNELS)}
    for offset, where, gate in rng.choice(scripts):
        yield Step(hour + offset, where, gate, more)


def _ward_steps(index: str, place: Place, onset: date) -> Iterator[tuple[str, Step]]:
    window = day_start(onset - timedelta(days=2), place.offset_h)
    before, morning = window - DAY + 9 * HOUR, window + DAY + 10 * HOUR
    after = day_start(onset + timedelta(days=1), place.offset_h)
    stem = index.removesuffix("index")
    quarter = 15 * MINUTE
    stays = (
        (index, before, before + 3 * HOUR),
        (index, window - 10 * MINUTE, window + quarter),
        (index, morning, morning + 2 * HOUR),
        (index, after - 5 * MINUTE, after + quarter),
        (f"{stem}early", before, before + 3 * HOUR),
        (f"{stem}edge", window - 10 * MINUTE, window + quarter),
        (f"{stem}edge-out", window - 10 * MINUTE, window + quarter - 1),
        (f"{stem}quarter", morning + HOUR, morning + HOUR + quarter),
        (f"{stem}short", morning + HOUR, morning + HOUR + quarter - 1),
        (f"{stem}twice", morning, morning + 11 * MINUTE),
        (f"{stem}twice", morning + 30 * MINUTE, morning + 41 * MINUTE),
        (f"{stem}forgot", morning + 90 * MINUTE, None),
        (f"{stem}orphan", None, morning + HOUR),
        (f"{stem}after", after, after + quarter),
        (f"{stem}stayed", morning + HOUR, None),
        (f"{stem}evening", morning + EVENING + 10 * MINUTE, morning + EVENING + 50 * MINUTE),
    )
    yield from _visitors(place, stays)
    yield index, Step(morning + 30 * MINUTE, place, "zone", {"zone": "bangsal A", "role": "visitor"})


def _late_steps(index: str, place: Place, onset: date, number: int) -> Iterator[tuple[str, Step]]:
    """Yield what makes contacts come, change and go; in each third ward one thing alone, which must be enough."""
    morning = day_start(onset - timedelta(days=1), place.offset_h) + 10 * HOUR
    stem = index.removesuffix("index")
    latecomer = (f"{stem}latecomer", morning + 20 * MINUTE, morning + 50 * MINUTE)
    of_the_case = (index, morning + EVENING, morning + EVENING + HOUR)
    known = (
        (f"{stem}forgot", None, morning + 100 * MINUTE),
        (f"{stem}stayed", None, morning + 90 * MINUTE),
        (f"{stem}orphan", morning + 50 * MINUTE, None),
    )
    yield from _visitors(place, ((latecomer, of_the_case, *known), (of_the_case,), (latecomer,))[number % 3])


def _visitors(place: Place, stays: Iterable[tuple[str, int | None, int | None]]) -> Iterator[tuple[str, Step]]:
    for who, check_in, check_out in stays:
        if check_in is not None:
            yield who, Step(check_in, place, "entrance", {"role": "visitor"})
        if check_out is not None:
            yield who, Step(check_out, place, "exit", {"role": "visitor"})


def _body(rng: Random, who: str, step: Step) -> Body:
    body: Body = {
        "scan_id": uuid7(rng, step.at),
        "subject": {"type": "test", "value": who},
        "facility_id": step.place.facility_id,
        "gate": step.gate,
        "at": instant_text(step.at, rng.choice((0, step.place.offset_h))),
    }
    if step.gate == "zone":
        body["zone"] = rng.choice(ZONES)
    if rng.random() < 0.1:  # noqa: PLR2004 — the share of devices that say who they are
        body |= {"device_id": "d1", "device_seq": rng.randrange(1000), "poster_version": rng.randrange(9)}
    return body | step.more


def _result(rng: Random, who: str, lab_ref: str, specimen: int, result: str) -> Body:
    return {
        "result_id": uuid7(rng, specimen),
        "subject": {"type": "test", "value": who},
        "lab_ref": lab_ref,
        "test": "pcr",
        "result": result,
        "status": "final",
        "specimen_at": instant_text(specimen),
        "reported_at": instant_text(specimen + HOUR),
    }


def uuid7(rng: Random, at: int) -> str:
    """Return a UUIDv7 of an instant; ids of one instant are in no order."""
    number = (at // 1000) << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
