"""Scans that a phone sends: judged once, in one transaction with its chain, then sent to Kafka with what flags them.

Refused is only what proves nothing: a signature that is not the device's, no poster of ours, a time before the poster
was made, or more than 30 days ago. Everything else is taken: what cannot be believed comes with its flag, which is sent
before the scan, so that it does not count for a moment. The phone is told neither.

A scan that was judged is stored with what is to be sent of it until Kafka has acknowledged that. So the same scans can
come again after any failure, and are judged no second time: neither the chain nor the clock makes another of them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from portal.plausibility.flags import Reason
from portal.plausibility.reasons import flag_of
from portal.posters.check import Refusal, Shown, check_named
from portal.posters.store import Gate as Poster
from portal.posters.tokens import Named
from portal.posters.tokens import read as read_token
from portal.scans import scan_id_of
from portal.store import Connection
from portal.visitor import chain, store
from portal.visitor.chain import Head, Link
from portal.visitor.gates import REASONS, TOO_NEW
from portal.visitor.shapes import PhoneScan, PhoneScanAnswer, ScansAnswer, ScansBody, read
from portal.visitor.signing import is_signed, scan_text
from portal.visitor.store import Device
from portal.visitor.visitors import NOT_THE_DEVICE, Visitors, sent
from schemas.errors import BadInput, Refused, Unavailable
from schemas.events import Assurance, Channel, Gate, Kind, Scan, ScanDecision
from tracing.instants import us_of

SENDER: Final = "visitor"  # the principal of what a phone sends by itself
_ASSURED: Final = {
    "": Assurance.SELF,
    "otp": Assurance.OTP,
    "officer_saw_id": Assurance.OFFICER_SAW_ID,
}
_encode: Final = msgspec.json.Encoder().encode
_records: Final[msgspec.json.Decoder[list[Scan | ScanDecision]]] = msgspec.json.Decoder(list[Scan | ScanDecision])


class _Sent(msgspec.Struct, frozen=True):
    """A scan as it came, with the poster that its token names."""

    scan: PhoneScan
    named: Named | None
    kind: Kind | None  # of the facility


class _Judged(msgspec.Struct, frozen=True):
    """What became of a request: an answer to each scan, what is to be sent, and of which scans."""

    answers: list[PhoneScanAnswer]
    events: list[Scan | ScanDecision]
    scan_ids: list[str]


async def take(visitors: Visitors, body: ScansBody) -> ScansAnswer:
    """Return what became of the scans, once Kafka has acknowledged those that are good.

    Raises:
        BadInput: `sent_at` is no instant.
        Refused: the device is not known.
        Unavailable: at least one was not acknowledged; the same scans may come again.
    """
    now, sent_at = datetime.now(UTC), sent(body.sent_at, "sent_at")
    items = [await _read(visitors, bytes(raw)) for raw in body.scans]
    judged = await visitors.desk.read(_judge_all, body.device_id, items, sent_at, now)
    await visitors.desk.send(judged.events)
    if judged.scan_ids:
        await visitors.desk.read(store.mark_sent, body.device_id, judged.scan_ids)
    accepted = sum(answer.status == "accepted" for answer in judged.answers)
    visitors.desk.measures.count_scans(accepted=accepted, invalid=len(judged.answers) - accepted)
    return ScansAnswer(results=judged.answers)


async def _read(visitors: Visitors, raw: bytes) -> _Sent | PhoneScanAnswer:
    try:
        scan = read(PhoneScan, raw)
        sent(scan.at, "at")
    except BadInput as error:
        return PhoneScanAnswer(scan_id=scan_id_of(raw), status="invalid", field=error.field, reason=error.reason)
    named = read_token(visitors.posters.keys, scan.token)
    kind = None if named is None else await visitors.kind_of(named.facility_id)
    return _Sent(scan, named, kind)


def _judge_all(
    conn: Connection, device_id: str, items: Sequence[_Sent | PhoneScanAnswer], sent_at: datetime, now: datetime
) -> _Judged:
    device = store.lock_device(conn, device_id)
    if device is None:
        raise Refused(NOT_THE_DEVICE)
    known = store.judged(conn, device_id, [item.scan.scan_id for item in items if isinstance(item, _Sent)])
    judge = _Judge(conn, device, sent_at, now, known)
    answers = [item if isinstance(item, PhoneScanAnswer) else judge.answer(item) for item in items]
    store.put_head(conn, device, judge.head, judge.place, now)
    return _Judged(answers, judge.events, judge.scan_ids)


class _Judge:
    """Judges the scans of one request, in the order in which they came."""

    def __init__(
        self,
        conn: Connection,
        device: Device,
        sent_at: datetime,
        now: datetime,
        known: Mapping[str, bytes | None],
    ) -> None:
        self._conn, self._device, self._sent_at, self._now = conn, device, sent_at, now
        self._known = dict(known)
        self._was_positive: bool | None = None
        self.head: Head = device.head
        self.place = device.place
        self.events: list[Scan | ScanDecision] = []
        self.scan_ids: list[str] = []

    def answer(self, item: _Sent) -> PhoneScanAnswer:
        """Return what becomes of a scan."""
        scan = item.scan
        text = scan_text(self._device.device_id, scan)
        try:
            self._check_signature(scan, text)
            if scan.scan_id not in self._known:
                self._judge(item, hashlib.sha256(text).digest())
            elif (records := self._known[scan.scan_id]) is not None:
                self._send(scan.scan_id, _records.decode(records))
        except BadInput as error:
            return PhoneScanAnswer(scan_id=scan.scan_id, status="invalid", field=error.field, reason=error.reason)
        return PhoneScanAnswer(scan_id=scan.scan_id, status="accepted")

    def _check_signature(self, scan: PhoneScan, text: bytes) -> None:
        if not is_signed(self._device.public_key, scan.signature, text):
            raise BadInput("is not this device's of this scan", field="signature")

    def _judge(self, item: _Sent, hashed: bytes) -> None:
        scan, said = item.scan, sent(item.scan.at, "at")
        link = Link(scan.seq, bytes.fromhex(scan.prev), hashed, said)
        self.head, broken = chain.follow(self.head, link)  # also of what is refused: the phone has counted it
        wrong = chain.is_clock_wrong(said, self._sent_at, self._now)
        at = chain.instant_of(said, self._now, wrong=wrong)
        if at is None:
            raise BadInput("is more than 30 days ago", field="at")
        gate, retired = self._gate(item, at, wrong=wrong)
        event = self._event(item, gate, at)
        reasons = {*broken, *retired, *self._doubts(at, wrong=wrong)}
        flags = [flag_of(event.person_id, event.scan_id, us_of(at), reason) for reason in sorted(reasons)]
        records: list[Scan | ScanDecision] = [*flags, event]
        store.add_judged(self._conn, self._device.device_id, scan.scan_id, _encode(records), self._now)
        self._known[scan.scan_id] = None
        self._send(scan.scan_id, records)
        self.place = "" if event.gate is Gate.EXIT else event.facility_id

    def _gate(self, item: _Sent, at: datetime, *, wrong: bool) -> tuple[Poster, tuple[Reason, ...]]:
        """Return the gate of a scan's poster, and whether that had been retired.

        Raises:
            BadInput: the token stood for nothing then.
        """
        shown = Refusal("unreadable") if item.named is None else check_named(self._conn, item.named, at)
        if isinstance(shown, Shown):
            return shown.gate, ()
        if shown.gate is not None and shown.why == "revoked":
            is_inside = item.scan.left and shown.gate.facility_id == self.place
            return shown.gate, () if is_inside else (Reason.RETIRED_POSTER,)
        if shown.gate is not None and wrong:
            return shown.gate, ()
        raise BadInput(REASONS[shown.why], field="token")

    def _doubts(self, at: datetime, *, wrong: bool) -> list[Reason]:
        found = [Reason.CLOCK_ERROR] if wrong else []
        if self._now - at > chain.LATE and self._owner_was_positive():
            found.append(Reason.LATE_AFTER_POSITIVE)
        return found

    def _event(self, item: _Sent, gate: Poster, at: datetime) -> Scan:
        """Return the event; a check-out by button is an exit of the facility, and of no gate."""
        scan = item.scan
        assert item.named is not None
        if item.kind is None:
            raise Unavailable(TOO_NEW)
        return Scan(
            scan_id=scan.scan_id,
            person_id=self._device.person,
            facility_id=gate.facility_id,
            kind=item.kind,
            time_zone=gate.time_zone,
            zone="" if scan.left else gate.zone,
            gate=Gate.EXIT if scan.left else gate.kind,
            at=at,
            channel=Channel.APP,
            assurance=_ASSURED[self._device.bound_by],
            device_id=self._device.device_id,
            device_seq=scan.seq,
            poster_version=None if scan.left else item.named.version,
            gate_no=None if scan.left else gate.gate_no,
            entered_by=SENDER,
            received_at=self._now,
        )

    def _send(self, scan_id: str, events: Sequence[Scan | ScanDecision]) -> None:
        self.events += events
        self.scan_ids.append(scan_id)

    def _owner_was_positive(self) -> bool:
        if self._was_positive is None:
            self._was_positive = store.was_positive(self._conn, self._device.person)
        return self._was_positive
