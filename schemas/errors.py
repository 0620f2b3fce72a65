"""Every error this project raises on purpose. Each leaf says what the one who catches it should do.

* JejakError                  someone outside gave us something we cannot use
  + BadInput                  a file, an option or a body is wrong: one line naming line and field, exit 2 / 422
  + InvalidEvent              bytes on a topic are no event of ours: dead-letter them, never retry
  + InvalidSettings           a JEJAK_… variable is unknown or malformed: exit 2
  + Refused                   the caller may not do this: 401 or 403, exit 2
  + NotFound                  no such case, facility or office (or not for this caller): 404, exit 2
  + Conflict                  what is stored forbids it (self-approval, partitions changed): 409, exit 2
  + Unavailable               broker or database did not answer: retry with back-off, 503
* StopWorker                  the process must end with `exit_code`; its supervisor knows what that means
  + GapInLog                  70: offsets skipped; a restart seeks to the stored position
  + DatabaseAway              71: the database stayed away longer than a worker waits; restart
  + LogReplaced               72: the log is not the one we read; not restarted, `jejak doctor` names the range

A broken invariant is a bug, not a JejakError: use `assert` and let the process crash. No message ever
holds the value of an identifier: a message names the field.
"""


class JejakError(Exception):
    """The root: one line on stderr and exit 2, or the HTTP status."""

    exit_code = 2
    status = 422


class BadInput(JejakError):
    """Something given to us is wrong; says where."""

    def __init__(self, reason: str, *, field: str = "", line: int | None = None) -> None:
        self.reason = reason
        self.field = field
        self.line = line
        where = [f"line {line}"] if line is not None else []
        where += [f"field {field}"] if field else []
        super().__init__(": ".join([", ".join(where), reason]) if where else reason)


class InvalidEvent(BadInput):
    """A record on a topic cannot be used."""


class InvalidSettings(BadInput):
    """A setting is unknown or malformed; `field` is its environment name."""


class Refused(JejakError):
    """The caller has no right to this."""

    status = 403


class NotFound(JejakError):
    """Nothing here under that name, or nothing this caller may know of."""

    status = 404


class Conflict(JejakError):
    """What is stored forbids it."""

    status = 409


class Unavailable(JejakError):
    """Broker or database did not answer; try again later."""

    status = 503


class StopWorker(Exception):
    """End this process with `exit_code`."""

    exit_code = 1


class GapInLog(StopWorker):
    """Offsets were skipped; the restart seeks to PostgreSQL's position."""

    exit_code = 70


class DatabaseAway(StopWorker):
    """The database did not come back in time."""

    exit_code = 71


class LogReplaced(StopWorker):
    """The log is another one, or it lost records we had not read."""

    exit_code = 72
