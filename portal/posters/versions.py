"""The versions of one gate's poster: a small machine, and nothing else decides which one counts when.

A version counts from the instant it was made until before the instant it was revoked. A new one revokes the one before
at once, so no two ever count at the same time; what is revoked never counts again, and a theft that is reported late
only takes time away.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from schemas.errors import Conflict

Reason: TypeAlias = Literal["", "reissued", "stolen", "closed"]
Doubt: TypeAlias = Literal["", "unknown", "not_yet", "revoked"]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version: `revoked_at` None and `reason` empty while it stands."""

    number: int
    made_at: datetime
    revoked_at: datetime | None = None
    reason: Reason = ""

    def counts_at(self, at: datetime) -> bool:
        """Say whether a scan at that instant is one of a poster that hung there rightly."""
        return self.made_at <= at and (self.revoked_at is None or at < self.revoked_at)


Versions: TypeAlias = tuple[Version, ...]  # by number, from 1 without a gap


def standing(versions: Sequence[Version]) -> Version | None:
    """Return the version that nothing has revoked; only the newest can be it."""
    return versions[-1] if versions and versions[-1].revoked_at is None else None


def issued(versions: Versions, now: datetime) -> Versions:
    """Return the versions with a new one, made now; the one before, if it stood, is revoked at once.

    Raises:
        Conflict: the gate is closed.
    """
    if versions and versions[-1].reason == "closed":
        raise Conflict("the gate is closed")
    ends = (at for one in versions for at in (one.made_at, one.revoked_at) if at is not None)
    at = max((now, *ends))  # a clock that was set back must not make two count
    return (*_last_revoked(versions, at, "reissued"), Version(number=len(versions) + 1, made_at=at))


def stolen(versions: Versions, number: int, since: datetime, now: datetime) -> Versions:
    """Return the versions with one revoked from the stated instant on; none takes its place.

    An instant before it was made revokes all of it; one after it was revoked changes nothing.

    Raises:
        Conflict: there is no such version, or the instant has not come yet.
    """
    if not 1 <= number <= len(versions):
        raise Conflict("there is no such version")
    if since > now:
        raise Conflict("the stated time has not come yet")
    one = versions[number - 1]
    at = max(since, one.made_at)
    if one.revoked_at is not None and one.revoked_at <= at:
        return versions
    # what a closed gate's last poster lost to a theft stays closed: a theft must not open it again
    reason: Reason = "closed" if one.reason == "closed" else "stolen"
    revoked = msgspec.structs.replace(one, revoked_at=at, reason=reason)
    return (*versions[: number - 1], revoked, *versions[number:])


def closed(versions: Versions, now: datetime) -> Versions:
    """Return the versions of a gate that is closed now; a gate that is closed stays so.

    Raises:
        Conflict: it had no poster, or its poster was stolen and not replaced: there is nothing to close.
    """
    if standing(versions) is None:
        raise Conflict("the gate has no poster that counts")
    return _last_revoked(versions, max(now, versions[-1].made_at), "closed")


def doubt(versions: Sequence[Version], number: int, at: datetime) -> Doubt:
    """Return why a scan of a version at an instant is none of a poster that hung there rightly; empty if it is."""
    one = next((one for one in versions if one.number == number), None)
    if one is None:
        return "unknown"
    if one.counts_at(at):
        return ""
    return "not_yet" if at < one.made_at else "revoked"


def _last_revoked(versions: Versions, at: datetime, reason: Reason) -> Versions:
    if standing(versions) is None:
        return versions
    return (*versions[:-1], msgspec.structs.replace(versions[-1], revoked_at=at, reason=reason))
