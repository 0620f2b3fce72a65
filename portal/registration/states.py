"""What may happen to an application: a small machine, and nothing else changes a state."""

from typing import Final, Literal, TypeAlias

from schemas.errors import Conflict

State: TypeAlias = Literal["submitted", "asked_back", "rejected", "approved"]
Action: TypeAlias = Literal["submit", "ask_back", "answer", "reject", "approve"]
Actor: TypeAlias = Literal["applicant", "ministry"]

MOVES: Final[dict[tuple[State | None, Action], tuple[Actor, State]]] = {
    (None, "submit"): ("applicant", "submitted"),
    ("submitted", "ask_back"): ("ministry", "asked_back"),
    ("submitted", "reject"): ("ministry", "rejected"),
    ("submitted", "approve"): ("ministry", "approved"),
    ("asked_back", "answer"): ("applicant", "submitted"),
    ("asked_back", "reject"): ("ministry", "rejected"),
}
NEEDS_WORDS: Final[frozenset[Action]] = frozenset({"ask_back", "reject"})


def moved(state: State | None, action: Action, actor: Actor) -> State:
    """Return the state that an action leads to.

    Raises:
        Conflict: it cannot be done now, or not by this actor.
    """
    who, then = MOVES.get((state, action), (None, None))
    if then is None or who != actor:
        raise Conflict("this cannot be done to the application now")
    return then
