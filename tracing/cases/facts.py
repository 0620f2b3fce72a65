"""What is known of one person: results, requests, and the cases they make. Instants are microseconds since 1970."""

from datetime import date
from typing import Final, Literal, TypeAlias

import msgspec

DEFAULT_ZONE: Final = "Asia/Jakarta"
CaseState: TypeAlias = Literal["pending", "open", "closed", "refused"]
Classification: TypeAlias = Literal["suspek", "probable", "konfirmasi", "discarded"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A test result as stored."""

    result_id: str
    laboratory: str
    lab_ref: str
    by: str
    result: str
    status: str
    supersedes: str | None = None
    specimen_at: int
    reported_at: int
    received_at: int
    date_onset: date | None = None
    date_isolation: date | None = None
    time_zone: str = DEFAULT_ZONE  # the laboratory's
    area: str = ""
    opens: bool = False  # final, from a laboratory, its lab_ref not used before: needs no second person
    case_id: str = ""  # the case it was counted to
    test: str = ""  # pcr, antigen

    @property
    def owner(self) -> str:
        """Return who may supersede it: the laboratory, or the one who entered it."""
        return f"laboratory {self.laboratory}" if self.laboratory else f"by {self.by}"

    @property
    def is_final(self) -> bool:
        """Say whether the laboratory stands by it; a correction is final too."""
        return self.status in {"final", "corrected"}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked of a case; only where `outcome` is done does it say anything about it."""

    request_id: str
    case_id: str
    action: str
    by: str
    role: str
    area: str = ""
    reason: str
    outcome: str = ""
    date_onset: date | None = None
    date_specimen: date | None = None
    date_isolation: date | None = None
    at: int


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one person."""

    case_id: str
    state: CaseState
    classification: Classification
    date_onset: date | None = None
    date_specimen: date | None = None
    date_isolation: date | None = None
    area: str = ""
    requested_by: str
    requested_role: str
    reason: str
    approved_by: str | None = None
    approved_reason: str | None = None
    opened_at: int
    confirmed_at: int | None = None
    closed_at: int | None = None

    @property
    def day_zero(self) -> date:
        """Return the onset, else the day of the first positive specimen."""
        day = self.date_onset or self.date_specimen
        assert day is not None, "a case without a day is not made"
        return day


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is stored of one person."""

    results: tuple[Result, ...] = ()
    requests: tuple[Request, ...] = ()
    cases: tuple[Case, ...] = ()
