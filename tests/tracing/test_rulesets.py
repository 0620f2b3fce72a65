from datetime import date

import pytest

from schemas.errors import BadInput
from tracing.rulesets import rule_of, rule_sets

# id: valid from, minutes, count, tail, days before, days after, ends at isolation (the table of the ministry's texts)
TABLE = {
    "kmk-413-2020": (date(2020, 7, 13), 15, "visit", 0, 2, 14, False),
    "kmk-4641-2021": (date(2021, 5, 11), 15, "visit", 0, 2, 14, True),
    "cdc-2020": (date(2020, 10, 21), 15, "24h", 0, 2, 10, True),
    "who-2022": (date(2022, 1, 1), 15, "visit", 0, 2, 10, False),
    "cwa": (date(2021, 4, 1), 10, "visit", 30, 2, 14, False),
}


def test_every_rule_set_says_what_its_source_says() -> None:
    rules = rule_sets()
    assert {
        rule.id: (
            rule.valid_from,
            rule.minutes,
            rule.count,
            rule.tail_minutes,
            rule.days_before,
            rule.days_after,
            rule.ends_at_isolation,
        )
        for rule in rules.values()
    } == TABLE


def test_an_option_overrides_one_value_and_custom_takes_the_rest_from_the_default() -> None:
    rule = rule_of("custom", minutes=5, tail_minutes=None, count="24h")
    assert (rule.id, rule.minutes, rule.tail_minutes, rule.count) == ("custom", 5, 0, "24h")
    assert (rule.days_before, rule.days_after, rule.ends_at_isolation) == (2, 14, True)
    assert rule_of("who-2022", days_after=3).days_after == 3


@pytest.mark.parametrize(
    ("rule_id", "values", "field"),
    [
        ("kmk", {}, "rule"),
        ("custom", {}, "minutes"),
        ("custom", {"minutes": -1}, "minutes"),
        ("cwa", {"count": "week"}, "count"),
        ("cwa", {"days_before": True}, "days_before"),
    ],
)
def test_what_is_no_rule_is_named_by_its_field(rule_id: str, values: dict[str, str | int], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        rule_of(rule_id, **values)
    assert caught.value.field == field
