"""The relay, from a real outbox onto real topics: everything, in order, again only after a failure, shared by two."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Thread
from time import sleep

import msgspec
import pytest

from ops.health import LANES
from producers.follower import Record, follow
from producers.sender import Sender
from schemas.errors import DatabaseAway, Unavailable
from schemas.events import FacilityCount
from schemas.settings import Settings
from schemas.topics import FACILITY_COUNT, VISIT, office_user
from streams.outbox.store import IN_FLIGHT_S, SEND_WITHIN_S, Outbox, Row
from streams.relay import Relay, make_sender
from streams.store import Source, write_outbox
from streams.tidings import facility_counts
from tests.commands import wait_until
from tests.streams.flow import ask, closing_after, running, with_settings
from tracing.counts import Counts
from tracing.rows import Facility

FACILITY = Facility(1, "RS-1", "hospital", "Asia/Jakarta")


class _Killed(Exception):
    """The process' end between acknowledgement and mark."""


class _DyingOutbox(Outbox):
    """Lets the relay die at that point."""

    def mark(self, rows: Sequence[Row]) -> None:
        raise _Killed(len(rows))


@pytest.fixture
def settings(installation: Settings) -> Settings:
    with closing_after(installation, "jejak_owner") as cur:
        cur.execute("truncate outbox")
    return installation


@pytest.fixture
def sender(settings: Settings) -> Iterator[Sender]:
    with Sender(settings, "relay") as made:
        yield made


def test_rows_are_published_in_the_order_of_their_making_and_marked(settings: Settings, sender: Sender) -> None:
    mark = _mark()
    _leave(settings, mark, sources=3, rows=40)
    with closing(Outbox(settings)) as outbox:
        assert Relay(settings, sender, outbox).work_off() == 3 * 40 * 2
        assert Relay(settings, sender, outbox).work_off() == 0
    assert ask(settings, "select count(*) from outbox where published_at is null") == [(0,)]
    assert _read(settings, mark) == {source: list(range(80)) for source in range(3)}


def test_what_was_published_but_not_marked_is_published_again_in_order(settings: Settings, sender: Sender) -> None:
    mark = _mark()
    _leave(settings, mark, sources=1, rows=5)

    with closing(_DyingOutbox(settings)) as dying, pytest.raises(_Killed):
        Relay(settings, sender, dying).work_off()
    _let_time_pass(settings)
    with closing(Outbox(settings)) as outbox:
        Relay(settings, sender, outbox).work_off()
    assert _read(settings, mark) == {0: [*range(10), *range(10)]}


def test_what_a_relay_without_its_database_still_sends_comes_before_what_is_newer(
    settings: Settings, sender: Sender
) -> None:
    mark, source = _mark(), Source("scan.v1", 0)
    _leave(settings, mark, sources=1, rows=1)
    with closing(Outbox(settings)) as lost:
        assert len(lost.take_rows([source])) == 1
    _leave(settings, mark, sources=1, rows=1, first=1)
    with closing(Outbox(settings)) as outbox:
        relay = Relay(settings, sender, outbox)
        assert relay.work_off() == 0
        sender.confirm([sender.send(VISIT.name, mark.encode(), str(one).encode(), 0) for one in range(2)])  # the lost
        assert relay.work_off() == 0
        _let_time_pass(settings)
        assert relay.work_off() == 4
    assert _read(settings, mark) == {0: [0, 1, 0, 1, 2, 3]}


def test_a_relay_that_was_stopped_for_long_sends_nothing(settings: Settings, sender: Sender) -> None:
    class Sleepy(Outbox):
        def take_rows(self, sources: Sequence[Source]) -> list[Row]:
            rows = super().take_rows(sources)
            sleep(SEND_WITHIN_S + 0.1)
            return rows

    mark = _mark()
    _leave(settings, mark, sources=1, rows=1)
    with closing(Sleepy(settings)) as outbox, pytest.raises(Unavailable):
        Relay(settings, sender, outbox).work_off()
    assert _read(settings, mark) == {}


def test_the_relay_s_client_gives_up_before_another_relay_stops_waiting(settings: Settings) -> None:
    with make_sender(settings) as own:
        assert own.config["delivery_timeout_ms"] + 1000 * SEND_WITHIN_S < 1000 * IN_FLIGHT_S
        assert own.config["request_timeout_ms"] < own.config["delivery_timeout_ms"]


def test_counts_of_a_shard_told_later_have_a_greater_as_of(settings: Settings) -> None:
    counts = [(1, 0, Counts(arrivals=1))]
    told = facility_counts(counts, 3, {1: FACILITY}, settings.partitions, 17)
    assert msgspec.json.decode(told[0][2] or b"", type=FacilityCount).as_of == 17


def test_two_relays_share_the_sources_and_publish_each_row_once(settings: Settings, sender: Sender) -> None:
    mark = _mark()
    _leave(settings, mark, sources=6, rows=60)
    published: dict[int, int] = {}

    def work(number: int) -> None:
        with closing(Outbox(settings)) as outbox, Sender(settings, "relay") as own:
            published[number] = Relay(settings, own, outbox).work_off()

    threads = [Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Outbox(settings)) as outbox:
        left = Relay(settings, sender, outbox).work_off()
    assert sum(published.values()) + left == 6 * 60 * 2
    assert _read(settings, mark) == {source: list(range(120)) for source in range(6)}


def test_a_source_held_by_one_relay_is_left_alone_by_the_other(settings: Settings, sender: Sender) -> None:
    mark = _mark()
    _leave(settings, mark, sources=2, rows=1)
    with closing(Outbox(settings)) as one, closing(Outbox(settings)) as other:
        with one.alone_with([Source("scan.v1", 0)]) as mine:
            assert mine == [Source("scan.v1", 0)]
            assert Relay(settings, sender, other).work_off() == 2
        assert Relay(settings, sender, other).work_off() == 2


def test_each_part_of_the_outbox_is_published_by_its_own_lane_and_every_source_has_one(
    settings: Settings, sender: Sender
) -> None:
    _leave(settings, _mark(), sources=2, rows=1)
    with closing_after(settings, "jejak_traces") as cur:
        for topic in ("test-result.v1", "visit.v1", "a-source-not-known-yet"):
            write_outbox(cur, Source(topic, 0), "alert.d3671", [(0, b"key", b"alert")])
    with closing(Outbox(settings, part="news")) as news, closing(Outbox(settings, part="bulk")) as bulk:
        assert {source.topic for source in news.waiting()} == {"test-result.v1", "visit.v1", "a-source-not-known-yet"}
        assert bulk.waiting() == [Source("scan.v1", 0), Source("scan.v1", 1)]
        assert Relay(settings, sender, news).work_off() == 3
        assert Relay(settings, sender, bulk).work_off() == 4


def test_an_alert_does_not_wait_for_what_scans_left_before_it(settings: Settings) -> None:
    events = [(0, b"somebody", b"x" * 300)] * 1_000
    with running(settings, "relay") as process:
        _leave(settings, _mark(), sources=1, rows=1)
        wait_until(lambda: ask(settings, "select count(*) from outbox where published_at is null") == [(0,)], 20)
        with closing_after(settings, "jejak_visits") as cur:
            for _ in range(200):
                write_outbox(cur, Source("scan.v1", 0), VISIT.name, events)
        with closing_after(settings, "jejak_traces") as cur:
            write_outbox(cur, Source("test-result.v1", 0), "alert.d3671", [(0, b"key", b"alert")])
        sql = "select count(*) from outbox where published_at is null and source_topic = 'test-result.v1'"
        wait_until(lambda: ask(settings, sql) == [(0,)], 10)
        assert ask(settings, "select count(*) > 0 from outbox where published_at is null") == [(True,)]
        process.kill()


def test_an_office_s_topic_is_made_before_its_first_alert(settings: Settings, sender: Sender) -> None:
    with closing_after(settings, "jejak_traces") as cur:
        write_outbox(cur, Source("test-result.v1", 0), "alert.d3671", [(0, b"key", b"alert")])
        write_outbox(cur, Source("test-result.v1", 0), "alert.d9999", [(0, b"key", b"alert")])
    with closing(Outbox(settings)) as outbox:
        assert Relay(settings, sender, outbox).work_off() == 2
    records = _take(settings, "alert.d3671", office_user("d3671"), bool)
    assert (records[-1].key, records[-1].value) == (b"key", b"alert")


def test_an_hour_without_counts_is_a_tombstone(settings: Settings, sender: Sender) -> None:
    counts = [(1, 0, Counts(arrivals=1)), (1, 3_600_000_000, Counts())]
    told = facility_counts(counts, 3, {1: FACILITY}, settings.partitions)
    with closing_after(settings, "jejak_visits") as cur:
        write_outbox(cur, Source("scan.v1", 3), FACILITY_COUNT.name, told)
    with closing(Outbox(settings)) as outbox:
        Relay(settings, sender, outbox).work_off()
    records = _take(settings, FACILITY_COUNT.name, "gate", lambda found: len(found) == 2)
    by_key = {record.key: record.value for record in records}
    assert by_key[b"RS-1|1970-01-01T08:00:00+07:00|3"] is None
    first = msgspec.json.decode(by_key[b"RS-1|1970-01-01T07:00:00+07:00|3"] or b"", type=FacilityCount)
    assert (first.shard, first.arrivals, first.facility_id) == (3, 1, "RS-1")


def test_the_relay_process_publishes_within_a_second_and_ends_with_0(settings: Settings) -> None:
    mark = _mark()
    with running(settings, "relay") as process:
        _leave(settings, mark, sources=1, rows=1)
        wait_until(lambda: ask(settings, "select count(*) from outbox where published_at is null") == [(0,)], 20)
        _leave(settings, _mark(), sources=1, rows=1)
        wait_until(lambda: ask(settings, "select count(*) from outbox where published_at is null") == [(0,)], 1)
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("away", [{"database": "postgresql://127.0.0.1:1/jejak"}, {"kafka": "127.0.0.1:1"}])
def test_a_relay_says_that_it_waits_and_ends_with_71_where_a_server_stays_away(
    settings: Settings, tmp_path: Path, away: dict[str, str]
) -> None:
    (tmp_path / "secrets").symlink_to(settings.home / "secrets")
    elsewhere = with_settings(settings, home=tmp_path, database_wait_s=1.0, **away)
    with running(elsewhere, "relay") as process:
        assert process.wait(60) == DatabaseAway.exit_code
    said = [(tmp_path / "run" / "ready" / name).read_text() for name in LANES]
    assert "waits for Kafka or the database" in said


def test_rows_published_over_a_day_ago_are_removed_and_no_others(settings: Settings) -> None:
    _leave(settings, _mark(), sources=1, rows=3)
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute(
            "update outbox set published_at = now() - interval '25 hours' where id = (select min(id) from outbox)"
        )
        cur.execute("update outbox set published_at = now() where id = (select max(id) from outbox)")
    with closing(Outbox(settings)) as outbox:
        assert outbox.remove_old() == 1
    assert ask(settings, "select count(*), count(published_at) from outbox") == [(2, 1)]


def _mark() -> str:
    """Return a person id that only this test uses."""
    return f"{Random().getrandbits(128):032x}"


def _let_time_pass(settings: Settings) -> None:
    """Until nothing that a relay took can be on its way any more."""
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute("update outbox set taken_at = taken_at - %s * interval '1 second'", (IN_FLIGHT_S,))


def _leave(settings: Settings, mark: str, *, sources: int, rows: int, first: int = 0) -> None:
    """Leave rows of two events each, numbered within their source; the source is the events' partition."""
    with closing_after(settings, "jejak_visits") as cur:
        for row in range(first, first + rows):
            for source in range(sources):
                events = [(source, mark.encode(), f"{2 * row + one}".encode()) for one in range(2)]
                write_outbox(cur, Source("scan.v1", source), VISIT.name, events)


def _read(settings: Settings, mark: str) -> dict[int, list[int]]:
    """Return the numbers under this mark, per partition, in the order of the log."""
    expected = ask(settings, "select coalesce(sum(count), 0) from outbox")[0][0]
    found: defaultdict[int, list[int]] = defaultdict(list)
    for record in _take(settings, VISIT.name, "standing", lambda records: _count(records, mark) >= expected):
        if record.key == mark.encode():
            found[record.partition].append(int(record.value or b""))
    return dict(found)


def _count(records: list[Record], mark: str) -> int:
    return sum(record.key == mark.encode() for record in records)


def _take(settings: Settings, topic: str, user: str, enough: Callable[[list[Record]], bool]) -> list[Record]:
    """Return the records of a topic, read until they are enough and nothing more comes for a moment."""
    records: list[Record] = []
    polls = 0

    def stop() -> bool:
        nonlocal polls
        polls += 1
        return polls > 100 or (polls > 10 and enough(records))

    for record in follow(settings, topic, user, stop=stop):
        records.append(record)  # noqa: PERF402 — `stop` looks at them while they come
    return records
