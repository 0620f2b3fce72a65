"""Dated stays: the values in force at a moment."""

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
    stays = Stays([*DEFAULT_RULES, NEW])
    assert stays.assumed_stay("clinic", "unknown", at("12:00") - 1) == 120 * MINUTE
    assert stays.assumed_stay("clinic", "unknown", at("12:00")) == 30 * MINUTE
    assert stays.max_stay("clinic", "unknown", at("12:00")) == 60 * MINUTE
    assert stays.assumed_stay("puskesmas", "unknown", at("12:00")) == 120 * MINUTE


def test_the_order_in_which_rules_are_given_does_not_matter() -> None:
    rules = [*DEFAULT_RULES, NEW]
    assert Stays(rules).rules == Stays(reversed(rules)).rules
