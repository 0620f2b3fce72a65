"""The rule sets: dated data in `tracing/rules/*.toml`, each with its source. A number is changed there, never in code.

A trace stores which rule it used. `custom` is what somebody asks for; an option overrides a rule's value.
"""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from schemas.errors import BadInput
from tracing.instants import MINUTE_US

DEFAULT_RULE: Final = "kmk-4641-2021"
Number = Annotated[int, Meta(ge=0, le=10_000_000)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a candidate of a co-visitor."""

    id: str
    valid_from: date | None  # none: whenever it is asked for
    source: Annotated[str, Meta(min_length=1)]
    minutes: Number
    count: Literal["visit", "24h"] = "visit"  # one overlap of two visits, or their sum inside any 24 hours
    tail_minutes: Number = 0  # the air stays dangerous so long after the case left by a scan
    days_before: Number = 2
    days_after: Number = 14
    ends_at_isolation: bool = True
    interval: Literal["visit", "cwa"] = "visit"  # cwa: derived from the case's stay, on a grid of ten minutes
    latent_hours: Number = 48  # a contact passes it on no earlier
    contact_days: Number = 14  # and no later than so many days after the last exposure
    source_days: Number = 14  # backward: where the case can have caught it

    @property
    def minutes_us(self) -> int:
        """The minutes as microseconds."""
        return self.minutes * MINUTE_US

    @property
    def tail_us(self) -> int:
        """The tail as microseconds."""
        return self.tail_minutes * MINUTE_US


@cache
def rule_sets() -> dict[str, Rule]:
    """Return every rule set by its id, `custom` not among them."""
    folder = files("tracing").joinpath("rules")
    texts = [entry.read_bytes() for entry in sorted(folder.iterdir(), key=str) if entry.name.endswith(".toml")]
    rules = [msgspec.toml.decode(text, type=Rule) for text in texts]
    return {rule.id: rule for rule in rules}


def rule_of(rule_id: str = DEFAULT_RULE, **values: str | int | bool | None) -> Rule:
    """Return a rule set, some of its values replaced; a value of None is none.

    Raises:
        BadInput: there is no such rule, `custom` comes without minutes, or a value is out of its range.
    """
    given = {name: value for name, value in values.items() if value is not None}
    rules = rule_sets()
    if rule_id == "custom":
        if "minutes" not in given:
            raise BadInput("rule custom needs it", field="minutes")
        base = msgspec.structs.replace(rules[DEFAULT_RULE], id="custom", valid_from=None, source="asked for")
    elif rule_id in rules:
        base = rules[rule_id]
    else:
        raise BadInput(f"is none of {', '.join([*rules, 'custom'])}", field="rule")
    kinds = get_type_hints(Rule, include_extras=True)
    for name, value in given.items():
        try:
            msgspec.convert(value, kinds[name])
        except msgspec.ValidationError:
            raise BadInput("is not a value it may have", field=name) from None
    return msgspec.structs.replace(base, **given)
