"""What every desk works with: settings, database pool, vault, sender, register of facilities, keys, measures.

Made once when the gate starts; `close` gives everything back.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, ParamSpec, TypeVar

from litestar import Request
from litestar.datastructures import State

from portal import store
from portal.bodies import HourBand
from portal.dispatch import Dispatch, Told
from portal.gathering import Gathering
from portal.horizon import Horizon
from portal.horizon.store import read_horizon
from portal.identity import Subject, Vault, open_vault
from portal.kept import Kept, Waiting
from portal.keys import Keyring, Principal, refuse_demo
from portal.measures import Measures
from portal.register import Register
from portal.store import Connection, KeyRow, Pool
from producers.packets import Keyed
from producers.sender import Sender
from schemas import topics
from schemas.codec import Codec, encode
from schemas.errors import Conflict, Unavailable
from schemas.events import ContactDecision, Scan, ScanDecision, TestResult, TraceRequest
from schemas.partition import partition_of
from schemas.settings import Settings
from tracing.store import check_partitions

P = ParamSpec("P")
R = TypeVar("R")

CONNECTIONS: Final = 4
THREAD_TIMEOUT_S: Final = 10.0
DELIVERY_TIMEOUT_S: Final = 12.0
TOGETHER_MAX: Final = 5_000
WAITING_MAX: Final = 20_000  # records: what the sender's buffer holds even if the broker takes none

Event = Scan | ScanDecision | TestResult | TraceRequest | ContactDecision
GateRequest = Request[Principal, None, State]

_TOPICS: Final[dict[type, str]] = {
    Scan: topics.SCAN.name,
    ScanDecision: topics.SCAN.name,
    TestResult: topics.TEST_RESULT.name,
    TraceRequest: topics.TRACE_REQUEST.name,
    ContactDecision: topics.CONTACT_DECISION.name,
}
_READERS: Final[dict[type, Codec[Any]]] = {kind: Codec(kind) for kind in _TOPICS}


class Desk:
    """The gate's means; made by `open_desk`."""

    def __init__(self, settings: Settings, pool: Pool, sender: Sender, vault: Vault, measures: Measures) -> None:
        self.settings = settings
        self.measures = measures
        self.register = Register(lambda: self.read(store.list_facilities))
        self.horizon = Horizon(lambda: self.read(read_horizon))
        self.keyring = Keyring(self._find_key, settings.rate_per_minute)
        self.public_occupancy: Kept[str] = Kept()
        self.public_hours: Kept[list[HourBand]] = Kept()
        self.waiting = Waiting()
        self._pool = pool
        self._sender = sender
        self.vault = vault
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="desk")
        self._known = Gathering(self._ask_vault, self._in_thread, together_max=TOGETHER_MAX, waiting_max=WAITING_MAX)
        self._dispatch = Dispatch(self._hand_over, waiting_max=WAITING_MAX, timeout_s=DELIVERY_TIMEOUT_S)

    async def read(self, query: Callable[..., R], *args: object) -> R:
        """Run `query(connection, *args)` as one transaction in a thread.

        Raises:
            Unavailable: the database does not answer in time.
        """
        return await self._in_thread(self._transact, query, *args)

    async def person_ids(self, subjects: Sequence[Subject]) -> Sequence[str]:
        """Return the person id of each subject, giving new ones.

        Raises:
            Unavailable: the database does not answer.
        """
        known = self.vault.known_ids(subjects)
        return known if known is not None else await self._known(subjects)

    async def tend_vault(self) -> None:
        """Carry out erasures whose date has come, and learn of those and of keys that were changed.

        Raises:
            Unavailable: the database does not answer.
        """
        await self.read(self.vault.tend)

    async def send(self, events: Sequence[Event]) -> None:
        """Send the events to their topics; returns when Kafka has acknowledged all.

        Raises:
            Unavailable: at least one was not acknowledged in time; whether it was stored is unknown.
        """
        await self._dispatch(events)

    def close(self) -> None:
        """Give back the threads; what they began they end."""
        self._dispatch.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        assert not kwargs
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        try:
            return await asyncio.wait_for(future, THREAD_TIMEOUT_S)
        except TimeoutError as error:
            raise Unavailable("broker or database does not answer in time") from error

    def _transact(self, query: Callable[..., R], *args: object) -> R:
        with self._pool.connection() as conn:
            return query(conn, *args)

    def _ask_vault(self, subjects: Sequence[Subject]) -> Sequence[str]:
        ids = self._transact(self.vault.person_ids, subjects)
        self.vault.remember(subjects, ids)
        return ids

    def _hand_over(self, events: Sequence[Event], told: Told) -> None:
        """Send each event to its person's partition; where the readers would refuse one, none of the request leaves."""
        parts: dict[tuple[str, int], list[Keyed]] = {}
        for event in events:
            data, kind = encode(event), type(event)
            _READERS[kind].decode(data)
            place = _TOPICS[kind], partition_of(event.person_id, self.settings.partitions)
            parts.setdefault(place, []).append((event.person_id.encode(), data))
        for (topic, partition), records in parts.items():
            self._sender.deliver(topic, partition, records, told)

    async def _find_key(self, key_hash: bytes) -> KeyRow | None:
        return await self.read(store.find_key, key_hash)


@contextmanager
def open_desk(settings: Settings, *, exposed: bool) -> Iterator[Desk]:
    """Connect to database and broker, check that they are those of this installation, and close all at the end.

    Args:
        settings: of the installation, with the addresses of its servers.
        exposed: others than this machine's users can reach the gate, or its servers are elsewhere.

    Raises:
        Unavailable: one of them does not answer.
        Conflict: the tables are not the newest, or the topics were made with another number of partitions.
        InvalidSettings: a secret is missing, the vault was written with other keys, or what is for the demo only
            would be exposed.
    """
    with closing(store.open_pool(settings, CONNECTIONS)) as pool:
        with pool.connection() as conn:
            check_installation(conn, settings)
            vault = open_vault(conn, settings)
            if exposed:
                refuse_demo(settings, store.list_keys(conn), store.demo_accounts(conn), datetime.now(UTC))
        measures = Measures(settings.home / "run" / "metrics")
        with Sender(settings, "gate") as sender, closing(Desk(settings, pool, sender, vault, measures)) as desk:
            yield desk


def check_installation(conn: Connection, settings: Settings) -> None:
    """Raise Conflict unless tables and topics are those this program needs."""
    found, needed = store.revision(conn), newest_revision()
    if found != needed:
        raise Conflict(f"the database is at revision {found or 'none'}, needed is {needed}: run `jejak migrate`")
    with conn.cursor() as cursor:
        check_partitions(cursor, settings)


def newest_revision() -> str:
    """Return the number of the last SQL file in schemas, which is the revision `jejak migrate` brings."""
    names = [path.name for path in (files("schemas") / "sql").iterdir()]
    return max(name for name in names if name.endswith(".sql")).partition("_")[0]


def desk_of(request: Request[Any, Any, State]) -> Desk:
    """Return the desk of the application that serves this request."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk
