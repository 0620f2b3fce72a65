"""Which person ids are one human, by the joins that hold (table `person_join`), for one trace.

A trace sees one person where several ids are joined: under the case's own id, where he is among them, else under the
smallest. Without joins nothing is asked of any row and everything is as it was.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tracing.cases.met import Met, codes_of, halves
from tracing.cases.places import Stay
from tracing.cases.rides import Ride
from tracing.store import Cursor


class Humans:
    """The ids of one human, by the id under which he is seen, and the other way round."""

    def __init__(self, ids: Mapping[str, Sequence[str]]) -> None:
        self._ids = ids
        self._seen_as = {one: name for name, some in ids.items() for one in some}

    def ids(self, person: str) -> Sequence[str]:
        """Return all ids of whom is seen under this one; the id itself first."""
        return self._ids.get(person, (person,))

    def all_ids(self, persons: Iterable[str]) -> list[str]:
        """Return all ids of those who are seen under these."""
        return [one for person in persons for one in self.ids(person)]

    def seen_as(self, person: str) -> str:
        """Return the id under which somebody is seen."""
        return self._seen_as.get(person, person)

    def seen(self, stay: Stay) -> Stay:
        """Return a visit as that of whom its person is seen as."""
        name = self.seen_as(stay.person)
        return stay if name == stay.person else stay._replace(person=name)

    def seen_each(self, stays: Mapping[int, Stay]) -> dict[int, Stay]:
        """Return visits, each as `seen` does."""
        return {row: self.seen(stay) for row, stay in stays.items()}

    def seen_rides(self, rides: Iterable[Ride]) -> list[Ride]:
        """Return rides, without those of somebody with himself."""
        if not self._ids:
            return list(rides)
        every = [ride._replace(one=self.seen(ride.one), other=self.seen(ride.other)) for ride in rides]
        return [ride for ride in every if ride.one.person != ride.other.person]

    def seen_met(self, met: Met) -> Met:
        """Return visits with every person as whom he is seen."""
        others = [one for one in self._seen_as if self._seen_as[one] != one]
        if not others or not met.key.size:
            return met
        high, low = halves(others)
        to_high, to_low = halves([self._seen_as[one] for one in others])
        codes = codes_of(np.concatenate([high, met.high]), np.concatenate([low, met.low]))
        place = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
        place[codes[: len(others)]] = np.arange(len(others))
        at = place[codes[len(others) :]]
        is_other = at >= 0
        return met._replace(high=np.where(is_other, to_high[at], met.high), low=np.where(is_other, to_low[at], met.low))


NONE = Humans({})


def read_humans(cur: Cursor, person: str) -> Humans:
    """Return the joins that hold; `person` is the case's own id."""
    cur.execute("select person::text, other::text from same_human")
    others: dict[str, set[str]] = {}
    for one, other in cur.fetchall():
        others.setdefault(one, {one}).add(other)
    if not others:
        return NONE
    groups = {frozenset(some) for some in others.values()}
    names = [person if person in some else min(some) for some in groups]
    return Humans({name: [name, *sorted(some - {name})] for name, some in zip(names, groups, strict=True)})
