"""Status colours and what the gate does about them: dated data in `portal/registry/rules/*.toml`, each with its source.

An officer is told an action, never a colour or its cause. Which positives and contacts are black, and until when, is
decided in tracing and told by topic (`portal/registry/statuses.py`); a number of doses is changed in the data alone.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta

Doses = Annotated[int, Meta(ge=0, le=20)]


class Colour(StrEnum):
    """A person's status, as his own phone shows it once it is bound."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    BLACK = "black"


class Action(StrEnum):
    """What the officer at the gate does: boleh masuk, periksa, arahkan ke triase."""

    ADMIT = "admit"
    CHECK = "check"
    TRIAGE = "triage"


class Ages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many doses make people of an age yellow and green; fewer make them red."""

    from_years: Annotated[int, Meta(ge=0, le=150)]
    yellow: Doses
    green: Doses


class Edition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a time; `ages` are those of the eldest first, and end with those of everybody."""

    id: str
    valid_from: date
    source: Annotated[str, Meta(min_length=1)]
    unsure: str = ""
    ages: Annotated[tuple[Ages, ...], Meta(min_length=1)]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a person. Of nobody nothing is known, and the look-up takes the same work."""

    birth_date: date | None = None  # not known: counted among the eldest
    doses: tuple[tuple[int, date], ...] = ()  # number and day of those that stand
    black_until: tuple[datetime, ...] = ()  # one for each case that makes him black


MIDDLE: Final = Action.CHECK  # of yellow, where the facility has no rule of its own, and of whom nobody knows


def colour_of(facts: Facts, at: datetime, rules: Sequence[Edition]) -> Colour:
    """Return a person's colour at an instant, by the rules in force on that day.

    Doses count from the day they were given on, by their highest number: a record of the second says that there was a
    first. Days, and so the age, are those of the offset of `at`.

    Args:
        facts: what is known of him.
        at: when he stands at the gate, by the clock of the place.
        rules: the editions, the earliest first; before its first day the earliest holds.
    """
    if any(at < until for until in facts.black_until):
        return Colour.BLACK
    today = at.date()
    number = max((dose for dose, day in facts.doses if day <= today), default=0)
    age = _age(facts.birth_date, today)
    ages = next(one for one in edition_of(today, rules).ages if age is None or one.from_years <= age)
    if number >= ages.green:
        return Colour.GREEN
    return Colour.YELLOW if number >= ages.yellow else Colour.RED


def action_of(colour: Colour, yellow: Action) -> Action:
    """Return what the gate does: care is refused to nobody, so red and black go to triage alike.

    Args:
        colour: the person's.
        yellow: the facility's own rule for yellow.
    """
    if colour is Colour.GREEN:
        return Action.ADMIT
    return yellow if colour is Colour.YELLOW else Action.TRIAGE


def edition_of(day: date, rules: Sequence[Edition]) -> Edition:
    """Return the edition in force on a day; before the first, the first."""
    return next((one for one in reversed(rules) if one.valid_from <= day), rules[0])


@cache
def editions() -> tuple[Edition, ...]:
    """Return every edition, the earliest first."""
    folder = files("portal").joinpath("registry/rules")
    texts = [entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted((msgspec.toml.decode(text, type=Edition) for text in texts), key=lambda one: one.valid_from))


def _age(birth_date: date | None, today: date) -> int | None:
    """Return completed years; who was born on 29 February is older from 1 March on where there is none."""
    if birth_date is None:
        return None
    return max(0, today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day)))
