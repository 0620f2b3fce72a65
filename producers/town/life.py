"""Who is where in the town, exactly: outings of people to facilities, day by day. Nobody is in two places at once.

What the gates see of it, with all that people forget, is `producers.town.scanning`.
"""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

import msgspec

from producers.town.people import Person, Town
from producers.town.places import OFFSET_HOURS, WARDS, ZONES
from schemas.events import Kind, Role

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
WARM_UP_DAYS: Final = 10  # inpatients were admitted before the first day

ILL: Final = 0.16  # of those without a job in a facility, on one day
ADMITTED: Final = 0.0008
ACCOMPANIED: Final = 0.45  # outpatients who bring somebody of their household
AT_WORK: Final = 5 / 7
KINDS: Final = {Kind.PUSKESMAS: 42, Kind.CLINIC: 32, Kind.HOSPITAL: 19, Kind.LABORATORY: 7}
OWN_DISTRICT: Final = 0.9
STAY_MINUTES: Final = {Kind.HOSPITAL: 130, Kind.PUSKESMAS: 75, Kind.CLINIC: 50, Kind.LABORATORY: 30}
SENT_ON: Final = 0.05  # from the first facility to a laboratory or hospital
AMBULANCE: Final = 0.15
NURSED: Final = 0.7  # inpatients with somebody of the household beside them, on one day
VISITED: Final = 0.35
ISOLATED: Final = 0.06
SHIFTS: Final = ((7.0, 7.5), (14.0, 7.5), (21.0, 10.0))  # begin and length in hours, of hospitals
DAY_SHIFT: Final = (7.5, 7.5)


class Outing(msgspec.Struct, frozen=True, gc=False):
    """One person's stay in one facility, as it truly was."""

    person: int
    place: int
    role: Role
    arrive_us: int
    leave_us: int
    zones: tuple[tuple[int, str], ...] = ()  # (from, zone), inside the stay
    group_id: str = ""


class Life:
    """Makes the outings of one day after another; remembers who lies in which bed and who is out until when."""

    def __init__(self, town: Town, start: date) -> None:
        self._town = town
        self._start_us = midnight_us(start)
        self._busy_until: dict[int, int] = {}
        self._beds: list[Outing] = []
        self._by_kind: dict[tuple[Kind, str], tuple[list[int], list[float]]] = {}
        for index, place in enumerate(town.places):
            for district in (place.district, ""):
                indexes, weights = self._by_kind.setdefault((place.kind, district), ([], []))
                indexes.append(index)
                weights.append(place.size)

    def day(self, number: int) -> list[Outing]:
        """Return the outings that begin on that day (0 is the first; before it, inpatients only).

        Call it for each day once, in order, from `-WARM_UP_DAYS`.
        """
        rng = Random(f"{self._town.seed}|day|{number}")  # noqa: S311 — a simulation
        begin_us = self._start_us + number * DAY_US
        self._beds = [bed for bed in self._beds if bed.leave_us > begin_us]
        made = _Day(self, self._town, rng, begin_us)
        made.admit()
        if number >= 0:
            made.work()
            made.nurse_and_visit(self._beds)
            made.seek_care()
            made.deliver()
        self._beds += [outing for outing in made.outings if outing.role is Role.INPATIENT]
        return made.outings

    def is_free(self, person: int, at_us: int) -> bool:
        """Say whether the person is nowhere at that time."""
        return self._busy_until.get(person, 0) < at_us

    def go(self, outing: Outing) -> None:
        """Note that the person is out until the outing ends, and on the way for a while after."""
        self._busy_until[outing.person] = outing.leave_us + 15 * MINUTE_US

    def choose(self, rng: Random, kind: Kind, district: str) -> int | None:
        """Return a facility of that kind, mostly in that district; None when the town has none."""
        near = self._by_kind.get((kind, district if rng.random() < OWN_DISTRICT else ""))
        found = near or self._by_kind.get((kind, ""))
        return rng.choices(*found)[0] if found else None


class _Day:
    """One day's outings in the making."""

    def __init__(self, life: Life, town: Town, rng: Random, begin_us: int) -> None:
        self.outings: list[Outing] = []
        self._life = life
        self._town = town
        self._rng = rng
        self._begin_us = begin_us

    def admit(self) -> None:
        """Some fall so ill that they stay: through emergency into a ward, some into isolation; some by ambulance."""
        for person in self._some(ADMITTED):
            place = None if person.job else self._life.choose(self._rng, Kind.HOSPITAL, person.district)
            if place is None:
                continue
            arrive = self._at(self._rng.uniform(0.5, 23))
            days = min(25.0, self._rng.lognormvariate(1.1, 0.7))
            leave = arrive + int(days * 24) * HOUR_US + self._minutes(0, 120)
            ward = "isolation" if self._rng.random() < ISOLATED else self._rng.choice(WARDS)
            zones = ((arrive, "emergency"), (arrive + self._minutes(40, 300), ward))
            group = f"ambulance-{person.number}-{arrive // DAY_US}" if self._rng.random() < AMBULANCE else ""
            if self._go(person, place, Role.INPATIENT, arrive, leave, zones, group) and group:
                self._drive(place, arrive, group)

    def work(self) -> None:
        """Staff come for their shift; in hospitals there are three."""
        for person in self._town.people:
            if person.job != "staff" or self._rng.random() > AT_WORK:
                continue
            kind = self._town.places[person.place].kind
            hospital = kind is Kind.HOSPITAL
            begin, hours = self._rng.choice(SHIFTS) if hospital else DAY_SHIFT
            arrive = self._at(begin) + self._minutes(-30, 10)
            leave = self._at(begin + hours) + self._minutes(-10, 50)
            zone = self._rng.choice((*WARDS, "emergency", "polyclinic", "isolation")) if hospital else "staff"
            self._go(person, person.place, Role.STAFF, arrive, leave, ((arrive + self._minutes(1, 10), zone),))

    def nurse_and_visit(self, beds: list[Outing]) -> None:
        """Of an inpatient's household one stays beside him by day or night, others come in visiting hours."""
        for bed in beds:
            ward = bed.zones[-1][1]
            if ward == "isolation":
                continue
            family = self._family(bed.person)
            if family and self._rng.random() < NURSED:
                begin, hours = self._rng.choice(((8.0, 9.0), (17.0, 13.0)))
                arrive = self._at(begin) + self._minutes(0, 90)
                leave = min(bed.leave_us, arrive + int(hours * HOUR_US) - self._minutes(0, 60))
                self._beside(family.pop(), bed, Role.COMPANION, arrive, leave, ward)
            if family and self._rng.random() < VISITED:
                arrive = self._at(16) + self._minutes(0, 90)
                self._beside(family.pop(), bed, Role.VISITOR, arrive, arrive + self._minutes(20, 80), ward)

    def seek_care(self) -> None:
        """Outpatients, some with somebody of their household; some are sent on to another facility."""
        for person in self._some(ILL):
            if person.job:
                continue
            kind = self._rng.choices(list(KINDS), list(KINDS.values()))[0]
            place = self._life.choose(self._rng, kind, person.district)
            if place is None:
                continue
            evening = self._rng.random() < (0.4 if kind is Kind.CLINIC else 0.1)
            arrive = self._at(self._rng.gauss(18, 1.2) if evening else 7.5 + self._rng.gammavariate(2.2, 1.1))
            outing = self._consult(person, place, kind, arrive)
            if outing and self._rng.random() < SENT_ON:
                on = Kind.LABORATORY if self._rng.random() < 0.7 else Kind.HOSPITAL  # noqa: PLR2004 — a share
                place = self._life.choose(self._rng, on, person.district)
                if place is not None:
                    self._consult(person, place, on, outing.leave_us + self._minutes(20, 70))

    def deliver(self) -> None:
        """Couriers go round, a few minutes at each facility."""
        for person in self._town.people:
            if person.job != "courier":
                continue
            at = self._at(8) + self._minutes(0, 60)
            for _ in range(self._rng.randrange(3, 10)):
                place = self._life.choose(self._rng, self._rng.choice(tuple(KINDS)), person.district)
                if place is not None:
                    self._go(person, place, Role.COURIER, at, at + self._minutes(3, 14))
                at += self._minutes(35, 80)

    def _consult(self, person: Person, place: int, kind: Kind, arrive: int) -> Outing | None:
        minutes = min(480.0, self._rng.lognormvariate(0, 0.45) * STAY_MINUTES[kind])
        leave = arrive + int(minutes * MINUTE_US)
        cuts = sorted(self._rng.randrange(arrive + MINUTE_US, max(leave, arrive + 2 * MINUTE_US)) for _ in range(2))
        first, *others = ZONES[kind]
        zones = [(arrive + MINUTE_US, first), *((cut, self._rng.choice(others)) for cut in cuts[1:])]
        inside = tuple(zone for zone in zones if zone[0] < leave)
        outing = self._go(person, place, Role.OUTPATIENT, arrive, leave, inside)
        family = self._family(person.number) if self._rng.random() < ACCOMPANIED else []
        if outing and family:
            self._go(family[0], place, Role.COMPANION, arrive + self._seconds(5, 60), leave + self._seconds(0, 90))
        return outing

    def _drive(self, place: int, arrive: int, group: str) -> None:
        crew = [person for person in self._town.people if person.job == "crew"]
        for person in self._rng.sample(crew, min(2, len(crew))):
            leave = arrive + self._minutes(10, 40)
            self._go(person, place, Role.CREW, arrive, leave, ((arrive, "ambulance"),), group)

    def _beside(self, person: Person, bed: Outing, role: Role, arrive: int, leave: int, ward: str) -> None:
        if bed.arrive_us < arrive < leave <= bed.leave_us:
            self._go(person, bed.place, role, arrive, leave, ((arrive + self._minutes(2, 8), ward),))

    def _go(
        self,
        person: Person,
        place: int,
        role: Role,
        arrive: int,
        leave: int,
        zones: tuple[tuple[int, str], ...] = (),
        group_id: str = "",
    ) -> Outing | None:
        if not self._life.is_free(person.number, arrive) or leave <= arrive:
            return None
        outing = Outing(person.number, place, role, arrive, leave, zones, group_id)
        self._life.go(outing)
        self.outings.append(outing)
        return outing

    def _some(self, share: float) -> list[Person]:
        """Return some of the people, each with the same chance, in a chance order."""
        people = self._town.people
        number = int(share * len(people) + self._rng.random())
        return self._rng.sample(people, min(number, len(people)))

    def _family(self, person: int) -> list[Person]:
        household = self._town.households[self._town.people[person].household]
        adults = [self._town.people[number] for number in household if number != person]
        return [each for each in adults if each.age >= 15]  # noqa: PLR2004 — old enough to sit by a bed

    def _at(self, hour: float) -> int:
        return self._begin_us + int(hour * 3600) * 1_000_000

    def _minutes(self, least: float, most: float) -> int:
        return int(self._rng.uniform(least, most) * 60) * 1_000_000

    def _seconds(self, least: int, most: int) -> int:
        return self._rng.randrange(least, most) * 1_000_000


def midnight_us(day: date) -> int:
    """Return when that day begins in the town, in microseconds since 1970."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=OFFSET_HOURS)
    return int(midnight.timestamp()) * 1_000_000
