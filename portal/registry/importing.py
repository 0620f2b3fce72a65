"""A file or a body of vaccinations, record by record: the good ones are taken, each bad one is named, none is lost."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from portal.fhir import Bundle
from portal.registry.fhir import ELEMENTS, vaccinations_of
from portal.registry.records import OPTIONAL, REQUIRED, Record, record_of
from portal.registry.store import Outcome, Source
from portal.registry.taking import BATCH
from portal.tables import read_table
from schemas.errors import BadInput


class Judged(NamedTuple):
    """A record of what was sent, and the line or entry it stands at; or what is wrong with it."""

    at: int
    record: Record | BadInput


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one record: its line in a CSV file (the header is 1), or its entry in a bundle (from 0)."""

    line: int | None = None
    entry: int | None = None
    status: Literal["new", "changed", "known", "withdrawn", "bad"]
    field: str = ""
    reason: str = ""


def judge(source: Source, data: bytes, now: datetime, *, demo: bool) -> Iterator[Judged]:
    """Yield the records in order.

    Raises:
        BadInput: the whole cannot be read: the header lacks a column, or it is no bundle.
    """
    rows: Iterable[tuple[int, dict[str, str], BadInput | None]]
    rows = read_table(data, required=REQUIRED, optional=OPTIONAL) if source == "csv" else vaccinations_of(Bundle(data))
    return (Judged(at, fault or _record(source, fields, now, demo=demo)) for at, fields, fault in rows)


def result_of(source: Source, one: Judged, outcome: Outcome | None) -> Result:
    """Return what became of a record; a bad one has no outcome."""
    line, entry = (one.at, None) if source == "csv" else (None, one.at)
    if isinstance(one.record, BadInput):
        return Result(line=line, entry=entry, status="bad", field=one.record.field, reason=one.record.reason)
    assert outcome is not None
    return Result(line=line, entry=entry, status=outcome)


def batches(judged: Iterable[Judged]) -> Iterator[list[Judged]]:
    """Yield what is taken together."""
    group: list[Judged] = []
    for one in judged:
        group.append(one)
        if len(group) == BATCH:
            yield group
            group = []
    if group:
        yield group


def good(group: Sequence[Judged]) -> list[Record]:
    """Return the records of a group that can be taken."""
    return [one.record for one in group if isinstance(one.record, Record)]


def results_of(source: Source, group: Sequence[Judged], outcomes: Sequence[Outcome]) -> list[Result]:
    """Return what became of each of a group, the outcomes being those of the good ones in order."""
    said = iter(outcomes)
    return [result_of(source, one, next(said) if isinstance(one.record, Record) else None) for one in group]


def _record(source: Source, fields: dict[str, str], now: datetime, *, demo: bool) -> Record | BadInput:
    try:
        return record_of(fields, now, demo=demo)
    except BadInput as error:
        field = ELEMENTS.get(error.field, error.field) if source == "fhir" else error.field
        return BadInput(error.reason, field=field)
