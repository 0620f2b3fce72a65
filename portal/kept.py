"""What one gate process remembers between requests, each bounded: bands for the public, results just sent, ids."""

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


class Latest(Generic[T]):
    """Answers of which only the latest is kept for each key: whoever asks for another instant computes it anew."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[datetime, T]] = {}

    async def get(self, key: str, at: datetime, compute: Callable[[], Awaitable[T]]) -> T:
        """Return the answer as it was computed for `at`; there must not be many keys."""
        found = self._answers.get(key)
        if found is None or found[0] != at:
            found = self._answers[key] = at, await compute()
        return found[1]


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


class Recent:
    """The values of the keys met last, at least `half` of them and at most twice as many; small: two plain tables.

    Safe to share between threads: what is lost to a race is asked for again.
    """

    def __init__(self, half: int) -> None:
        self._half = half
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value, if it is remembered; it counts as met now."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Remember a value."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value
