"""Visits read whole at once are those that are looked up one by one."""

from collections.abc import Callable
from random import Random

import msgspec
import numpy as np
import pytest

from schemas.events import Role
from schemas.settings import Settings
from tests.tracing.test_rings import PERSONS, ZONE, stays
from tests.tracing.ward import ONSET, town_in
from tracing.cases import lookup
from tracing.exposure import Direction
from tracing.instants import MINUTE_US
from tracing.rulesets import rule_of
from tracing.visits import Visit
from tracing.windows import FARTHEST_US, Window, case_window

EACH = len(PERSONS)


def varied(random: Random, visit: Visit) -> Visit:
    zones = ((visit.check_in, "igd"), (visit.check_in + MINUTE_US, "bangsal A"))
    return msgspec.structs.replace(
        visit,
        role=random.choice(list(Role)),
        check_in_estimated=random.random() < 0.1,
        zones=random.choice([(), (), zones[:1], zones]),
    )


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("rule", ["kmk-4641-2021", "cwa"])
def test_what_is_read_whole_is_what_is_looked_up(
    fresh_database: Callable[[], Settings], rule: str, direction: Direction
) -> None:
    random, asked_for = Random(5), rule_of(rule)
    window = case_window(asked_for, ONSET, None, ZONE)
    with town_in(fresh_database) as town, town.conn, town.conn.cursor() as cur:
        town.stays([varied(random, visit) for visit in stays(random, town)])
        seen: set[tuple[bool, bool]] = set()
        for person in PERSONS[:EACH]:
            own = lookup.own_visits(cur, person, Window(window.start - FARTHEST_US, window.end + FARTHEST_US))
            asked = lookup.asked_of(own, dict.fromkeys(lookup.zones_of(own), window))
            narrow = lookup.meet(cur, asked_for, asked, direction).without(person)
            whole = lookup.meet(cur, asked_for, asked, direction, whole=True).without(person)
            kept = np.flatnonzero(narrow.check_in < narrow.check_out)  # a visit of no length is not looked up
            assert all((one == other).all() for one, other in zip(narrow[:5], whole[:5], strict=True))
            places = {stay.place.facility_no: stay.place for stay in own}
            found = lookup.details(cur, whole, kept, places)
            assert found == lookup.details(cur, narrow, kept, places)
            seen |= {(bool(stay.zones), stay.check_in_estimated) for stay in found.values()}
        assert len(seen) == 4
