"""Status colours and what the gate does about them. An officer is told an action, never a colour or its cause."""

from enum import StrEnum


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
