"""What one gate process remembers between requests, each bounded: bands for the public, results just sent."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Generic, TypeVar

ANSWERS_MAX: Final = 5_000
RESULTS_MAX: Final = 10_000

T = TypeVar("T")


class Kept(Generic[T]):
    """Answers to the public, each computed once per facility and quarter of an hour, whoever asks how often."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, datetime], T] = OrderedDict()

    async def get(self, facility_id: str, at: datetime, compute: Callable[[], Awaitable[T]]) -> T:
        """Return the answer as first computed for `at`."""
        key = facility_id, at
        if key not in self._answers:
            made = await compute()
            while len(self._answers) >= ANSWERS_MAX:
                self._answers.popitem(last=False)
            self._answers.setdefault(key, made)  # another request may have been first
        return self._answers[key]


class Waiting:
    """Results sent by this process and perhaps not applied yet, with who sent them; the latest ones only."""

    def __init__(self) -> None:
        self._senders: OrderedDict[str, str] = OrderedDict()

    def add(self, result_id: str, sender: str) -> None:
        """Remember one."""
        self._senders[result_id] = sender
        if len(self._senders) > RESULTS_MAX:
            self._senders.popitem(last=False)

    def is_from(self, result_id: str, sender: str) -> bool:
        """Say whether `sender` sent it here."""
        return self._senders.get(result_id) == sender
