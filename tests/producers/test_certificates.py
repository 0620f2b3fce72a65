"""What the town's register has on record: the same for the same town, and nothing that an import would refuse."""

from datetime import UTC, datetime

from portal.registry.records import OPTIONAL, REQUIRED, record_of
from producers.town.certificates import COLUMNS, birth_date, town_vaccinations
from producers.town.people import BORN_UNTIL, build_town

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_the_same_town_has_the_same_rows_and_every_one_can_be_imported() -> None:
    town, again = (build_town(seed=7, people=300, facilities=20) for _ in range(2))
    rows = list(town_vaccinations(town, 100))
    assert rows == list(town_vaccinations(again, 100))
    empty = dict.fromkeys((*REQUIRED, *OPTIONAL), "")
    records = [record_of(empty | dict(zip(COLUMNS, row, strict=True)), NOW, demo=False) for row in rows]
    assert len({(one.subject, one.dose) for one in records}) == len(rows)
    assert {one.dose for one in records} == {1, 2, 3}
    assert 50 < len({one.subject for one in records}) < 100


def test_a_birth_date_is_that_of_the_number_and_as_old_as_the_person() -> None:
    for person in build_town(seed=7, people=300, facilities=20).people:
        if person.subject.type == "nik":
            born = birth_date(person)
            assert abs(BORN_UNTIL.year - born.year - person.age) <= 1
            assert f"{born:%m%y}" == person.subject.value[8:12]
