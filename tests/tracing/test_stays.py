"""Dated stays: the values in force at a moment, and rules that may only begin in the future."""

import pytest

from schemas.errors import BadInput
from tests.tracing.persons import DAY, MINUTE, at
from tracing.stays import DEFAULT_RULES, DEFAULT_STAYS, StayRule, Stays

NEW = StayRule(at("12:00"), "clinic", 30 * MINUTE, 60 * MINUTE)


def test_the_defaults_hold_at_any_time() -> None:
    for moment in (-(1 << 61), 0, at("08:00"), 1 << 61):
        assert DEFAULT_STAYS.at("hospital", "unknown", moment) == (240 * MINUTE, 30 * DAY)
        assert DEFAULT_STAYS.at("puskesmas", "unknown", moment) == (120 * MINUTE, DAY)
        assert DEFAULT_STAYS.at("clinic", "unknown", moment) == (120 * MINUTE, DAY)
        assert DEFAULT_STAYS.at("laboratory", "unknown", moment) == (60 * MINUTE, DAY)


def test_an_inpatients_assumed_stay_is_the_longest() -> None:
    assert DEFAULT_STAYS.assumed_stay("hospital", "inpatient", 0) == 30 * DAY
    assert DEFAULT_STAYS.assumed_stay("clinic", "inpatient", 0) == DAY
    assert DEFAULT_STAYS.max_stay("clinic", "inpatient", 0) == DAY


def test_a_rule_is_in_force_from_its_first_microsecond_and_for_its_kind_only() -> None:
    stays = DEFAULT_STAYS.with_rule(NEW, now=at("11:00"))
    assert stays.assumed_stay("clinic", "unknown", at("12:00") - 1) == 120 * MINUTE
    assert stays.assumed_stay("clinic", "unknown", at("12:00")) == 30 * MINUTE
    assert stays.max_stay("clinic", "unknown", at("12:00")) == 60 * MINUTE
    assert stays.assumed_stay("puskesmas", "unknown", at("12:00")) == 120 * MINUTE


def test_the_order_in_which_rules_are_given_does_not_matter() -> None:
    rules = [*DEFAULT_RULES, NEW]
    assert Stays(rules).rules == Stays(reversed(rules)).rules


@pytest.mark.parametrize(
    ("rule", "now", "field"),
    [
        (NEW, at("12:00"), "valid_from"),
        (NEW, at("12:01"), "valid_from"),
        (StayRule(at("12:00"), "cinema", MINUTE, MINUTE), 0, "kind"),
        (StayRule(at("12:00"), "clinic", 0, MINUTE), 0, "assumed_minutes"),
        (StayRule(at("12:00"), "clinic", MINUTE, -MINUTE), 0, "max_minutes"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_field(rule: StayRule, now: int, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        DEFAULT_STAYS.with_rule(rule, now=now)
    assert refused.value.field == field


def test_two_rules_of_one_kind_cannot_begin_together() -> None:
    stays = DEFAULT_STAYS.with_rule(NEW, now=0)
    with pytest.raises(BadInput, match="valid_from"):
        stays.with_rule(NEW, now=0)
