"""What the witness log says: of every scan, result and record whether it was promised, refused, or left open.

Standard library only, for the oracle reads it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from ops.chaos.diary import FAIL, OK, UNKNOWN, read_lines

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STRENGTH: Final = {FAIL: 0, UNKNOWN: 1, OK: 2}

Who = tuple[str, str]  # subject, scan_id


class Sent(NamedTuple):
    """A scan as the client sent it, with every field it left out."""

    facility_id: str
    gate: str
    at: int
    zone: str
    admitted: bool
    role: str
    channel: str
    group_id: str
    refused_reason: str
    assurance: str
    device_id: str
    device_seq: int | None
    poster_version: int | None


class Result(NamedTuple):
    """A test result as the laboratory sent it."""

    subject: str
    lab_ref: str
    result: str
    specimen_at: int
    date_onset: str | None
    date_isolation: str | None


class Decision(NamedTuple):
    """A decision about a scan, put onto the topic beside the gate."""

    person: str  # as the database writes it
    scan_id: str
    serial: int
    by: str
    decision: str
    scan_at: int
    reason: str


@dataclass
class Told:
    """Everything the logs tell."""

    begin: dict[str, Any] = field(default_factory=dict)
    first: dict[Who, Sent] = field(default_factory=dict)  # of one identity what was sent first
    how: dict[Who, int] = field(default_factory=dict)  # STRENGTH of the best answer to it
    late: set[Who] = field(default_factory=set)  # sent after the traces had run
    results: dict[str, tuple[Result, int]] = field(default_factory=dict)  # by result_id
    decisions: dict[Decision, int] = field(default_factory=dict)
    poison: set[tuple[str, int, int]] = field(default_factory=set)  # topic, partition, offset
    poison_unknown: int = 0
    records: Counter[str] = field(default_factory=Counter)  # per topic, how many records were acknowledged
    maybe: Counter[str] = field(default_factory=Counter)  # per topic, how many more there may be
    contradicting: Counter[int] = field(default_factory=Counter)  # by strength: sent under the id of another
    requests: Counter[str] = field(default_factory=Counter)
    answered: list[tuple[float, float, str]] = field(default_factory=list)  # sent at, answered at, how
    acknowledged: list[tuple[float, int]] = field(default_factory=list)  # when, how many records of `scan.v1`

    def accepted(self) -> int:
        """Return how many scans were promised."""
        return sum(how == STRENGTH[OK] for how in self.how.values())


def read_told(paths: Iterable[Path]) -> Told:
    """Return what these logs tell together."""
    told = Told()
    for path in paths:
        waiting: dict[int, tuple[float, str, Any]] = {}
        for line in read_lines(path):
            if "begin" in line:
                told.begin |= line["begin"]  # with `late`: what is sent from here on is
            elif "op" in line:
                waiting[line["n"]] = line["t"], line["op"], line["what"]
                if line["op"] == "scans":
                    for body in line["what"]:
                        _remember(told, body)
            else:
                at, op, what = waiting.pop(line["n"])
                told.requests[line["got"]] += 1
                if op == "scans":
                    told.answered.append((at, line["t"], line["got"]))
                _take(told, op, what, line)
        for _, op, what in waiting.values():  # the witness itself was stopped before the answer
            _take(told, op, what, {"got": UNKNOWN, "t": 0.0})
    return told


def who_of(body: dict[str, Any]) -> Who:
    """Return a scan's identity."""
    return body["subject"]["value"], body["scan_id"]


def sent_of(body: dict[str, Any]) -> Sent:
    """Return the scan with its defaults."""
    return Sent(
        body["facility_id"],
        body["gate"],
        _us(body["at"]),
        body.get("zone", ""),
        body.get("admitted", True),
        body.get("role", "unknown"),
        body.get("channel", "app"),
        body.get("group_id", ""),
        body.get("refused_reason", ""),
        body.get("assurance", "self"),
        body.get("device_id", ""),
        body.get("device_seq"),
        body.get("poster_version"),
    )


def _remember(told: Told, body: dict[str, Any]) -> None:
    who = who_of(body)
    if who not in told.first:
        told.first[who] = sent_of(body)
        if told.begin.get("late"):
            told.late.add(who)


def _take(told: Told, op: str, what: Any, answer: dict[str, Any]) -> None:  # noqa: ANN401 — JSON
    got = answer["got"]
    if op == "poison":
        _count(told, what, answer, accepted=1, all_of=1)
        told.poison_unknown += got == UNKNOWN
        if got == OK:
            told.poison.add((what, *answer["at"]))
    elif op == "result":
        body = what[0]
        strength = STRENGTH[got]
        if body["result_id"] in told.results:
            strength = max(strength, told.results[body["result_id"]][1])
        told.results[body["result_id"]] = _result_of(body), strength
    elif op == "decision":
        decision = Decision(*what)
        told.decisions[decision] = max(told.decisions.get(decision, 0), STRENGTH[got])
        _count(told, "scan.v1", answer, accepted=1, all_of=1)
    else:
        _take_scans(told, op, what, answer)


def _take_scans(told: Told, op: str, bodies: list[dict[str, Any]], answer: dict[str, Any]) -> None:
    got = answer["got"]
    marks = answer.get("r", "0" * len(bodies))
    _count(told, "scan.v1", answer, accepted=marks.count("1"), all_of=len(bodies))
    for body, mark in zip(bodies, marks, strict=True):
        strength = STRENGTH[got] if got == UNKNOWN or mark == "1" else STRENGTH[FAIL]
        who = who_of(body)
        if op == "again":
            told.contradicting[strength] += 1
            continue
        told.how[who] = max(told.how.get(who, 0), strength)


def _count(told: Told, topic: str, answer: dict[str, Any], *, accepted: int, all_of: int) -> None:
    got = answer["got"]
    told.records[topic] += accepted if got == OK else 0
    told.maybe[topic] += all_of if got == UNKNOWN else 0
    if got == OK and topic == "scan.v1":
        told.acknowledged.append((answer["t"], accepted))


def _result_of(body: dict[str, Any]) -> Result:
    return Result(
        body["subject"]["value"],
        body["lab_ref"],
        body["result"],
        _us(body["specimen_at"]),
        body.get("date_onset"),
        body.get("date_isolation"),
    )


def _us(text: str) -> int:
    try:
        return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
    except (TypeError, ValueError):
        return 0  # an instant no gate accepts
