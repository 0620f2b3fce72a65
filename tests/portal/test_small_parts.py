"""The pure parts of the portal: areas, bands, limits, gathering, logs."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ops.log import set_up_logs
from portal.bands import band_of, last_refresh, minutes_of
from portal.gathering import Gathering
from portal.identifiers import new_uuid7
from portal.kept import Recent
from portal.keys import CACHED_S, FAILURES_PER_MINUTE, Keyring, covers
from portal.limits import Limits
from portal.logs import log, report_bug
from portal.problems import TooMany, Unauthorised
from portal.store import KeyRow
from schemas.errors import Unavailable
from tracing.pair import person_minutes


@pytest.mark.parametrize(
    ("area", "district", "expected"),
    [
        ("all", "36.71", True),
        ("36", "36.71", True),
        ("36.71", "36.71", True),
        ("36", "36", True),
        ("36.71", "36.7", False),
        ("36.7", "36.71", False),
        ("36", "31.71", False),
        ("3", "36.71", False),
        ("36.71", "36", False),
        ("36.71", "all", False),
        ("", "36.71", False),
        ("", "", False),
    ],
)
def test_an_area_covers_itself_and_what_lies_in_it(area: str, district: str, *, expected: bool) -> None:
    assert covers(area, district) is expected


@given(st.integers(0, 200))
def test_a_band_holds_its_count(count: int) -> None:
    band = band_of(count)
    low, _, high = band.replace("<", "0-").replace("+", "-999").partition("-")
    assert int(low) <= count <= int(high)
    assert (band == "<5") == (count < 5)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 — its way
def test_bands_are_of_the_last_quarter_of_an_hour(now: datetime) -> None:
    at = last_refresh(now)
    assert timedelta(0) <= now - at < timedelta(minutes=15)
    assert (at.minute % 15, at.second, at.microsecond) == (0, 0, 0)


@given(st.integers(0, 10**13))
def test_minutes_are_those_of_the_files(person_us: int) -> None:
    assert f"{minutes_of(person_us):.3f}" == person_minutes(person_us)


def test_a_bucket_lets_a_minutes_requests_through_and_then_one_at_a_time() -> None:
    limits = Limits(60)
    for _ in range(60):
        limits.take("a", 0.0)
    with pytest.raises(TooMany) as caught:
        limits.take("a", 0.5)
    assert caught.value.retry_after_s == 1
    assert limits.is_empty("a", 0.5)
    limits.take("b", 0.5)
    limits.take("a", 1.0)
    with pytest.raises(TooMany):
        limits.take("a", 1.0)


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=30), st.integers(1, 7))
def test_everyone_gets_the_results_of_his_own_items_in_order(requests: list[list[int]], together: int) -> None:
    calls: list[int] = []

    def double(items: Sequence[int]) -> list[int]:
        calls.append(len(items))
        return [2 * item for item in items]

    async def run() -> list[Sequence[int]]:
        gathering = Gathering(double, asyncio.to_thread, together_max=together, waiting_max=1_000)
        return await asyncio.gather(*map(gathering, requests))

    assert asyncio.run(run()) == [[2 * item for item in request] for request in requests]
    assert sum(calls) == sum(map(len, requests))
    assert all(size <= max(together, 5) for size in calls)


def test_a_failure_is_everybodys_of_that_call_and_nobodys_of_the_next() -> None:
    def work(items: Sequence[str]) -> Sequence[str]:
        if "bad" in items:
            raise Unavailable("no")
        return items

    async def run() -> list[object]:
        gathering = Gathering(work, asyncio.to_thread, together_max=2, waiting_max=6)
        waiting = [gathering([word]) for word in ("a", "b", "c", "bad", "d", "e", "one too many")]
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    *results, refused = asyncio.run(run())
    assert results[:2] == [["a"], ["b"]]
    assert [type(result) for result in results[2:4]] == [Unavailable] * 2
    assert results[4:] == [["d"], ["e"]]
    assert isinstance(refused, Unavailable)


def test_of_many_requests_that_come_together_one_asks_for_the_key_and_a_second_later_one_asks_again() -> None:
    asked: list[bytes] = []
    soon = datetime.now(UTC) + timedelta(days=1)

    async def find(key_hash: bytes) -> KeyRow | None:
        asked.append(key_hash)
        await asyncio.sleep(0.01)
        return KeyRow("k", "Ani", "office", "", "36", demo=False, made_at=soon, expires_at=soon, revoked_at=None)

    async def run() -> set[str]:
        keyring = Keyring(find, 1_000)
        header = "Bearer jejak_" + "a" * 43
        names = {one.name for one in await asyncio.gather(*(keyring.identify(header, "::1") for _ in range(50)))}
        await asyncio.sleep(CACHED_S)
        return names | {(await keyring.identify(header, "::1")).name}

    assert asyncio.run(run()) == {"Ani"}
    assert len(asked) == 2


def test_an_address_that_guesses_keys_is_slowed_down() -> None:
    async def find(_: bytes) -> KeyRow | None:
        return None

    async def run() -> list[type]:
        keyring = Keyring(find, 1_000)
        guesses = [keyring.identify(f"Bearer jejak_{n:043}", "203.0.113.7") for n in range(FAILURES_PER_MINUTE + 100)]
        failed: list[type] = [type(error) for error in await asyncio.gather(*guesses, return_exceptions=True)]
        later = await asyncio.gather(keyring.identify(None, "203.0.113.8"), return_exceptions=True)
        assert isinstance(later[0], Unauthorised)
        return failed

    failed = asyncio.run(run())
    # The bucket fills while they are asked: ten a second.
    assert FAILURES_PER_MINUTE <= failed.count(Unauthorised) < FAILURES_PER_MINUTE + 100
    assert failed.count(Unauthorised) + failed.count(TooMany) == FAILURES_PER_MINUTE + 100


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 — its way
def test_our_own_ids_sort_by_time(now: datetime) -> None:
    one, later = new_uuid7(now), new_uuid7(now + timedelta(milliseconds=2))
    assert one < later
    assert (one[14], one[19] in "89ab", len(one)) == ("7", True, 36)


@pytest.fixture
def logs_put_back() -> Iterator[None]:
    """Give the process its logging back: what is set up here writes to a stderr that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("logs_put_back")
def test_a_closed_stderr_does_not_end_a_librarys_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logs("info")
    logging.getLogger("kafka").error("no answer from %s", "a broker")
    assert "no answer" in stderr.getvalue()
    stderr.close()
    logging.getLogger("kafka").error("no answer from %s", "a broker")


@pytest.mark.usefixtures("logs_put_back")
def test_a_log_line_holds_only_what_is_on_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("info")
    nik = "3671015508900001"
    log().info("refused", status=422, body=nik, path=f"/v1/{nik}", person=nik)
    logging.getLogger("kafka").warning("cannot send %s", nik)
    logging.getLogger("uvicorn.error").error("failed with " + nik)  # noqa: G003 — what a library might do
    try:
        int(f"{nik}x")
    except ValueError as error:
        report_bug(error)
        logging.getLogger("litestar").exception("uncaught", exc_info=error)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) == 5
    assert lines[0]["status"] == 422
    assert lines[3]["error"] == "ValueError"
    assert nik not in json.dumps(lines)


@given(st.lists(st.integers(0, 12), max_size=80), st.integers(1, 5))
def test_the_keys_met_last_are_remembered_with_their_latest_values_and_not_too_many(keys: list[int], half: int) -> None:
    recent, latest = Recent(half), dict[int, int]()
    for number, key in enumerate(keys):
        if number % 3 == 0 and recent.get(b"%d" % key) is not None:
            latest[key] = latest.pop(key)
        else:
            recent.put(b"%d" % key, b"%d" % number)
            latest.pop(key, None)
            latest[key] = number
    remembered = {key: found for key in range(13) if (found := _peek(recent, key)) is not None}
    assert len(remembered) <= 2 * half
    assert all(remembered[key] == number for key, number in list(latest.items())[-half:])
    assert all(latest[key] == number for key, number in remembered.items())


def _peek(recent: Recent, key: int) -> int | None:
    """Look without meeting."""
    found = recent._young.get(b"%d" % key) or recent._old.get(b"%d" % key)
    return None if found is None else int(found)
