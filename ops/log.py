"""Logs of every service: JSON lines on stderr that hold only the fields of the list here, whatever is passed.

No body, key, person or case id and no SQL parameter can get in: other fields are dropped, what a library logs is
written as its template without the arguments, and an error as its class and the places in the code.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import structlog

ALLOWED: Final = frozenset(
    {
        "event",
        "level",
        "at",
        "worker",
        "topic",
        "partition",
        "offset",
        "records",
        "lag",
        "sqlstate",
        "seconds",
        "exit_code",
        "method",
        "route",
        "status",
        "ms",
        "url",
        "pid",
        "partitions",
        "error",
        "where",
        "logger",
    }
)
PLACES_MAX: Final = 8
REPEAT_S: Final = 5.0


def set_up_logs(level: str) -> None:
    """Send our own and libraries' logs to stderr; call once per process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            keep_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)


def keep_allowed(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every field that is not on the list."""
    return {name: value for name, value in fields.items() if name in ALLOWED}


def places_of(error: BaseException) -> list[str]:
    """Return where an error came from, as file:line, outermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-PLACES_MAX:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]


class _Foreign(logging.Handler):
    """Writes what libraries log, without the values they log it with, and not the same again within 5 s."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what was said a moment ago: a client without its server says the same a hundred times a second."""
        place = record.pathname, record.lineno
        if monotonic() - self._last.get(place, -REPEAT_S) < REPEAT_S:
            return False
        self._last[place] = monotonic()
        return True

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "where": [f"{record.module}:{record.lineno}"]}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields |= {"error": type(error).__name__, "where": places_of(error)}
        # A message without arguments may have any value in it already: only where it was made is told.
        template = record.msg if isinstance(record.msg, str) and record.args else "a library's message"
        with suppress(OSError, ValueError):  # a stderr that was closed must not end the library's thread
            structlog.get_logger().log(record.levelno, template, **fields)
