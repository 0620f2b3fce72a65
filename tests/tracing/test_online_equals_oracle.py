"""The online trace against an oracle that reads the words of the rule: random towns in a real database."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from uuid import UUID

import pytest

from schemas.settings import Settings
from tests.tracing import naive_exposure as naive
from tests.tracing.naive_exposure import Stay
from tests.tracing.ward import FACILITIES, ONSET, Town, positive, somebody, town_in
from tracing.cases.rows import person_uuid
from tracing.instants import MINUTE_US, us_of
from tracing.rulesets import rule_of
from tracing.visits import Visit
from tracing.windows import case_window

PERSONS = [person_uuid(somebody(number)) for number in range(25)]
LENGTHS = (20, 60, 61, 239, 240, 1_440, 1_441, 4 * 1_440, 11 * 1_440, 12 * 1_440 + 1, 40 * 1_440)  # minutes
PLACES = ("RS-1", "PKM-1", "RS-9")
START = us_of(positive(somebody(0)).specimen_at) - 30 * 1_440 * MINUTE_US

Seen = set[tuple[str, str, int, int]]


def stays(random: Random, town: Town) -> list[Visit]:
    made = []
    for _ in range(400):
        place = random.choice(PLACES)
        check_in = START + random.randrange(50 * 1_440) * MINUTE_US + random.choice([0, 0, random.randrange(MINUTE_US)])
        check_out = check_in + int(random.choice(LENGTHS) * random.choice([1, random.random()])) * MINUTE_US
        made.append(
            Visit(
                str(UUID(int=random.getrandbits(128))),
                random.choice(PERSONS),
                town.numbers[place],
                FACILITIES[place][1],
                FACILITIES[place][2],
                check_in,
                check_out,
                False,
                random.random() < 0.3,
                "visitor",
            )
        )
    return made


def expected(visits: list[Visit], person: str, isolation: date | None) -> Seen:
    rule = rule_of()
    found: Seen = set()
    for place in PLACES:
        here = [
            visit for visit in visits if visit.time_zone == FACILITIES[place][2] and visit.kind == FACILITIES[place][1]
        ]
        window = case_window(rule, ONSET, isolation, FACILITIES[place][2])
        own = [visit for visit in here if visit.person == person]
        rows = naive.exposures(rule, [_stay(one) for one in own], window, [_stay(one) for one in here])
        found |= {(own[one].visit_id, here[other].visit_id, start, end) for one, other, start, end in rows}
    return found


def _stay(visit: Visit) -> Stay:
    return Stay(PERSONS.index(str(visit.person)), 1, visit.check_in, visit.check_out, not visit.check_out_estimated)


@pytest.mark.parametrize("seed", range(3))
def test_online_traces_find_what_the_words_say(fresh_database: Callable[[], Settings], seed: int) -> None:
    random = Random(seed)
    with town_in(fresh_database) as town:
        visits = stays(random, town)
        town.stays(visits)
        for number in range(12):
            isolation = random.choice([None, ONSET + timedelta(days=random.randrange(-4, 6))])
            town.take(positive(somebody(number), date_isolation=isolation))
            rows = town.ask(
                "select from_visit::text, to_visit::text, (extract(epoch from starts) * 1000000)::bigint,"
                " (extract(epoch from ends) * 1000000)::bigint from exposure where from_person = %s and degree = 1",
                PERSONS[number],
            )
            assert set(rows) == expected(visits, PERSONS[number], isolation)
            assert len(rows) == len(set(rows))
