"""Scans through the gate: a thousand to a request, several requests in flight, every answer counted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from producers.gate_client import GateClient
from schemas.errors import Unavailable
from schemas.events import Assurance, Channel, Gate, Role

BATCH_SCANS: Final = 1_000  # the gate takes no more in one request
IN_FLIGHT: Final = 4
REASONS_SHOWN: Final = 5


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who passed, as the gate asks: the vault turns it into the person id."""

    type: str  # nik, passport, kitas, temporary; test in demo mode
    value: str
    district: str = ""  # of residence, e.g. 36.71; a NIK does not say it


class GateScan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scan as a phone, an officer or a file sends it; kind and time zone are the gate's to stamp."""

    scan_id: str
    subject: Subject
    facility_id: str
    gate: Gate
    at: str  # ISO 8601 with offset
    zone: str = ""
    group_id: str = ""
    admitted: bool = True
    refused_reason: str = ""
    role: Role = Role.UNKNOWN
    channel: Channel = Channel.APP
    assurance: Assurance = Assurance.SELF
    device_id: str = ""
    device_seq: Annotated[int, Meta(ge=0)] | None = None
    poster_version: int | None = None
    gate_no: int | None = None  # of the facility's gates, where a poster said it


class Sent(msgspec.Struct):
    """What became of the scans: every one is either accepted or invalid, else sending has failed."""

    accepted: int = 0
    invalid: int = 0
    retries: int = 0  # requests sent again
    reasons: Counter[str] = msgspec.field(default_factory=Counter)  # by field; never a value

    def line(self) -> str:
        """Return the summary, with the first reasons."""
        text = f"{self.accepted:,} accepted, {self.invalid:,} invalid, {self.retries:,} requests sent again"
        shown = [f"{reason} ({number:,})" for reason, number in self.reasons.most_common(REASONS_SHOWN)]
        return text + (": " + "; ".join(shown) if shown else "")


def send_scans(client: GateClient, scans: Iterable[GateScan], *, sent: Sent | None = None) -> Sent:
    """Send all scans as fast as the gate takes them; see `send_batches`."""
    return send_batches(client, _batches(scans), sent=sent)


def send_batches(client: GateClient, batches: Iterable[list[GateScan]], *, sent: Sent | None = None) -> Sent:
    """Send all batches, several in flight, and return what became of their scans.

    Args:
        client: an open gate.
        batches: at most a thousand scans each; taken one at a time, so an iterator that waits sets the pace.
        sent: counted up as answers come, for a progress line elsewhere.

    Raises:
        Unavailable: a batch stayed without a usable answer; all may be sent again.
    """
    sent = Sent() if sent is None else sent
    waiting: set[Future[tuple[int, Any]]] = set()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        try:
            for batch in batches:
                if len(waiting) == IN_FLIGHT:
                    waiting = _count_answers(waiting, sent)
                waiting.add(pool.submit(_send, client, batch))
            while waiting:
                waiting = _count_answers(waiting, sent)
        except BaseException:
            client.give_up()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            sent.retries = client.retries
    return sent


def _batches(scans: Iterable[GateScan]) -> Iterator[list[GateScan]]:
    source = iter(scans)
    while batch := list(islice(source, BATCH_SCANS)):
        yield batch


def _send(client: GateClient, batch: list[GateScan]) -> tuple[int, Any]:
    return len(batch), client.post("/v1/scans", batch)


def _count_answers(waiting: set[Future[tuple[int, Any]]], sent: Sent) -> set[Future[tuple[int, Any]]]:
    """Wait for at least one answer, count it, return those still waited for."""
    done, left = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        _count_results(*future.result(), sent)
    return left


def _count_results(number: int, answer: Any, sent: Sent) -> None:  # noqa: ANN401 — JSON
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list) or len(results) != number:
        raise Unavailable("the gate did not answer for every scan; send all again")
    for result in results:
        if result.get("status") == "accepted":
            sent.accepted += 1
        else:
            sent.invalid += 1
            sent.reasons[f"{result.get('field') or 'body'} {result.get('reason') or 'is invalid'}"] += 1
