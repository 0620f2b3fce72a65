"""Why this process cannot do its work just now: in a file, for nothing but the portal listens.

`jejak healthy` and `jejak doctor` read it. What it says is about now; a process that died says nothing, so whoever
reads it looks first whether the process runs.
"""

from contextlib import suppress

from schemas.settings import Settings
from streams.metrics import READY


class Readiness:
    """What one worker, or one lane of the relay, says of itself."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._path = settings.home / "run" / "ready" / name
        self._name = name
        self._said: str | None = None

    def say(self, why_not: str) -> None:
        """Say what keeps this process from its work; empty: nothing does. Only what is new is written."""
        if why_not == self._said:
            return
        with suppress(OSError):  # a home that cannot be written must not stop the work
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self._path.with_suffix(".new")
            half.write_text(why_not)
            half.replace(self._path)
            self._said = why_not
        READY.labels(self._name).set(not why_not)
