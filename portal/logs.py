"""Logs of the gate: JSON lines on stderr that hold only fields of the list here, whatever somebody passes.

No body, query string, person or case id can get in: a field that is not on the list is dropped, a foreign library's
message is written as its template without its arguments, a traceback as the places in our code.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

import structlog

ALLOWED: Final = frozenset(
    {"event", "level", "at", "method", "route", "status", "ms", "error", "where", "url", "pid", "logger", "partitions"}
)


def set_up_logs(level: str) -> None:
    """Send our own and foreign logs to stderr; call once per process."""
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


def log() -> structlog.stdlib.BoundLogger:
    """Return the logger."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger


def report_bug(error: BaseException) -> None:
    """Log an unexpected error: its class and where it came from, not its message, which may hold values."""
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    log().error("bug", error=type(error).__name__, where=places[-8:])


class _Foreign(logging.Handler):
    """Writes what libraries log, without the values they log it with."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = type(record.exc_info[1]).__name__
        template = record.msg if isinstance(record.msg, str) and record.args else _fixed(record)
        with suppress(OSError, ValueError):  # a stderr that was closed must not end the library's thread
            log().log(record.levelno, template, **fields)


def _fixed(record: logging.LogRecord) -> str:
    """A message made without arguments may hold anything already: only where it was made is told."""
    return f"{record.module}:{record.lineno}"
