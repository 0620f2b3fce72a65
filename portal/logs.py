"""What the gate logs; `jejak gate` decides where it goes, and that only listed fields get there."""

import traceback
from typing import Final

import structlog

PLACES_MAX: Final = 8


def log() -> structlog.stdlib.BoundLogger:
    """Return the logger."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger


def report_bug(error: BaseException) -> None:
    """Log an unexpected error: its class and where it came from, not its message, which may hold values."""
    frames = traceback.extract_tb(error.__traceback__)[-PLACES_MAX:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
    log().error("bug", error=type(error).__name__, where=places)
