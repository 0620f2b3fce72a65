"""Where retention stands, as the operator sees it: looks only."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ops.store import OPERATOR, transaction
from schemas.errors import BadInput
from schemas.settings import Settings
from streams.retention import store
from streams.retention.run import day_of, read_goal
from tracing.store import Connection

LATE: Final = timedelta(days=2)


class Retained(NamedTuple):
    """Where retention stands."""

    horizon: str
    ran_at: datetime
    is_late: bool  # nothing ran for too long, and something has to go


def check_kept(conn: Connection, start: int) -> None:
    """Refuse to look at visits from before the horizon.

    Raises:
        BadInput: some of those asked about have been let go (field `--date`).
    """
    with conn.cursor() as cur:
        known = [at for at in store.read_horizons(cur).values() if at is not None]
    if known and start < max(known):
        day = day_of(max(known))
        raise BadInput(f"asks about days before the horizon: visits from before {day} have been let go", field="--date")


def read_stand(settings: Settings, now: datetime) -> Retained:
    """Return where the horizon is, and whether it should be elsewhere."""
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        goal, ran_at = read_goal(cur, now, None), store.read_ran_at(cur)
        horizons = store.read_horizons(cur).values()
    known = [at for at in horizons if at is not None]
    is_behind = len(known) < len(horizons) or any(at < goal.horizon for at in known)
    horizon = day_of(min(known)) if known else "none: nothing has gone yet"
    return Retained(horizon, ran_at, is_behind and now - ran_at > LATE)
