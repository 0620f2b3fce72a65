"""The watcher: looks at every scan that was folded, with those around it, and flags what cannot be.

It keeps nothing: a record of the topic only says where to look, what is stored is what is judged, and its flags are
always the same. So a watcher that is killed anywhere looks again at its last records, and nothing is flagged twice.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from portal.plausibility import store
from portal.plausibility.judge import Flag, Place, Poster, Sighting, flags_of, retired
from portal.plausibility.reasons import flag_of
from portal.plausibility.rules import Rules, all_rules
from portal.store import Connection, Pool
from producers.follower import Record
from producers.sender import Sender, send_scans
from schemas.codec import Codec
from schemas.events import Channel, Scan, ScanDecision
from schemas.topics import SCAN

USER: Final = "plausibility"
ROLE: Final = "jejak_plausibility"
PLACES_FRESH_S: Final = 5.0
FOLD_ASKED_S: Final = 0.05
POSTER_SCANS: Final = 1_000
NO_ID: Final = "00000000-0000-0000-0000-000000000000"

_codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)


class Watcher:
    """Judges rounds of records.

    Args:
        pool: connections as the watcher's role.
        sender: of the watcher's user.
        partitions: of the topic of scans.
        told: called with each reason of the flags that were sent.
        rules: those of the file.
    """

    def __init__(
        self,
        pool: Pool,
        sender: Sender,
        partitions: int,
        told: Callable[[str], None] = lambda _: None,
        rules: Rules | None = None,
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._partitions = partitions
        self._told = told
        self._rules = rules or all_rules()
        self._numbers: dict[str, int] = {}
        self._places: dict[int, Place] = {}
        self._places_read_s = -PLACES_FRESH_S

    def take(self, records: Sequence[Record], stopped: Callable[[], bool] = lambda: False) -> bool:
        """Judge what came; return when every flag is acknowledged. False: it was stopped before; do it all again.

        Raises:
            Unavailable: database or broker do not answer; all is to do again.
        """
        self._read_places()
        keys = self._keys(records)
        if not keys:
            return True
        ends: dict[int, int] = {}
        for record in records:
            ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
        while not self._is_folded(ends):
            if stopped():
                return False
            time.sleep(FOLD_ASKED_S)
        with self._pool.connection() as conn:
            store.by_index(conn)
            flags = self._judge(conn, keys)
        self._send(flags)
        return True

    def follow_revocations(self) -> int:
        """Flag the stored scans of posters that were revoked from an instant before now; return how many were."""
        with self._pool.connection() as conn:
            waiting = store.revoked_unfollowed(conn)
        flagged = 0
        for poster, revocation in waiting.items():
            since_us, after = revocation.at - 1, NO_ID
            while True:
                with self._pool.connection() as conn:
                    some = store.scans_of_poster(conn, poster, since_us, after, POSTER_SCANS)
                    flags = self._new(conn, retired(some, {poster: revocation}, self._rules))
                self._send(flags)
                flagged += len(flags)
                if len(some) < POSTER_SCANS:
                    break
                since_us, after = some[-1].at, some[-1].scan_id
            with self._pool.connection() as conn:
                store.set_followed(conn, poster, revocation.serial)
        return flagged

    def _keys(self, records: Sequence[Record]) -> list[tuple[str, str]]:
        """Return the scans that some rule may look at, each once."""
        events = _codec.decode_all([record.value or b"" for record in records])
        return list(
            dict.fromkeys(
                (one.person_id, one.scan_id) for one in events if isinstance(one, Scan) and self._matters(one)
            )
        )

    def _matters(self, scan: Scan) -> bool:
        return (
            scan.admitted
            and scan.channel is not Channel.IMPORT
            and (scan.gate_no is not None or scan.facility_id in self._numbers)
        )

    def _is_folded(self, ends: dict[int, int]) -> bool:
        with self._pool.connection() as conn:
            done = store.positions(conn, SCAN.name)
        return all(done.get(partition, 0) >= end for partition, end in ends.items())

    def _judge(self, conn: Connection, keys: Sequence[tuple[str, str]]) -> list[Flag]:
        came = store.sightings(conn, keys)
        present = [one for one in came if one.shows_presence and one.facility in self._places]
        at_gates = [one for one in came if one.gate_no is not None and one.can_be_flagged]
        around = [
            *store.around_persons(conn, present, self._rules.travel_us),
            *store.around_posters(conn, at_gates, self._rules.burst_us),
            *store.around_devices(conn, at_gates, self._rules.device_us),
        ]
        revoked = store.revocations(conn, posters_of(at_gates))
        return self._new(conn, flags_of(came, around, self._places, revoked, self._rules))

    def _new(self, conn: Connection, flags: Iterable[Flag]) -> list[Flag]:
        """Return the flags that are not stored; of scans that are void, none: they are out already, and for good."""
        asked = sorted(flags)
        if not asked:
            return []
        known, void = store.decided(conn, [(flag.person, flag.scan_id) for flag in asked])
        return [
            flag
            for flag in asked
            if (flag.person, flag.scan_id) not in void
            and (flag.person, flag.scan_id, flag.serial, _decision(flag).by) not in known
        ]

    def _send(self, flags: Sequence[Flag]) -> None:
        self._sender.confirm(send_scans(self._sender, map(_decision, flags), self._partitions))
        for flag in flags:
            self._told(flag.reason)

    def _read_places(self) -> None:
        if time.monotonic() - self._places_read_s >= PLACES_FRESH_S:
            with self._pool.connection() as conn:
                self._numbers, self._places = store.places(conn)
            self._places_read_s = time.monotonic()


def posters_of(some: Iterable[Sighting]) -> set[Poster]:
    """Return the versions of posters that scans name."""
    return {
        (one.facility, one.gate_no, one.version) for one in some if one.gate_no is not None and one.version is not None
    }


def _decision(flag: Flag) -> ScanDecision:
    return flag_of(flag.person, flag.scan_id, flag.at, flag.reason, flag.serial)
