"""What the offices must have heard: who is told, in whose order, and what is no order at all."""

import pytest

from ops.chaos import heard
from ops.chaos.heard import ALERT_LIMIT, first_alerts
from ops.chaos.oracle import HOUR, MINUTE, Exposure, Facility, Visit

HOSPITAL = Facility("RS-1", "hospital", "Asia/Jakarta", "36.71")


def visit(person: str, minutes: int, zone: str = "") -> Visit:
    zones = ((0, zone),) if zone else ()
    return Visit(f"of {person}", person, HOSPITAL, 0, minutes * MINUTE, False, False, "visitor", zones)


def met(person: str, minutes: int, zone: str = "") -> Exposure:
    return Exposure(
        visit("case", HOUR // MINUTE * 10, "bangsal A"), visit(person, minutes, zone), 0, minutes * MINUTE, ""
    )


def ranks(some: list[Exposure], said: dict[tuple[str, str], int], office: str = "d3671") -> dict[str, int]:
    """Return by person the rank that the office must have been told."""
    must = first_alerts("K1", some, said)
    return {key[3]: row[2][1] for key, row in must.items() if key[1:3] == (office, "added")}


def test_the_order_that_was_told_is_believed() -> None:
    some = [met("a", 20), met("b", 60), met("c", 30)]
    said = {("d3671", "a"): 1, ("d3671", "b"): 3, ("d3671", "c"): 2}
    assert ranks(some, said) == {"a": 1, "c": 2, "b": 3}


@pytest.mark.parametrize("told", [{"a": 1, "c": 3}, {"a": 2, "c": 3}, {}])
def test_a_gap_or_somebody_left_out_is_not_believed(told: dict[str, int]) -> None:
    some = [met("a", 20), met("b", 60), met("c", 30)]
    said = {("d3671", person): rank for person, rank in told.items()}
    must = ranks(some, said)
    assert sorted(must.values()) == [1, 2, 3]
    assert must != told


def test_who_was_in_other_zones_comes_last_whatever_was_told() -> None:
    some = [met("a", 20, "poli gigi"), met("b", 60), met("c", 30)]
    assert ranks(some, {("d3671", "a"): 1, ("d3671", "b"): 2, ("d3671", "c"): 3}) == {"b": 1, "c": 2, "a": 3}


def test_of_a_crowd_as_many_as_there_is_room_for_are_told_and_all_are_counted() -> None:
    some = [met(f"p{number:02}", 20) for number in range(ALERT_LIMIT + 5)]
    said = {("p36", f"p{number:02}"): number - 4 for number in range(5, ALERT_LIMIT + 5)}
    must = ranks(some, said, "p36")
    assert must == {person: rank for (_, person), rank in said.items()}
    summary = first_alerts("K1", some, said)["K1", "p36", "summary", ""]
    assert summary == (ALERT_LIMIT + 5, ALERT_LIMIT, (("15-29", ALERT_LIMIT + 5),))
    assert len(heard.by_office(some)["p36"]) == ALERT_LIMIT + 5
