"""Every named place, one after the other: a real process dies there; the next one leaves what the pure fold says."""

import os
import signal
from random import Random

import pytest

from ops.secrets import ensure_secret
from schemas.codec import encode
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.batches import Batch
from streams.failpoints import FOLD, NAMES, RELAY, RETENTION, STANDING, STATEMENT, TRACES, WORKER, arm
from streams.joining.store import JoiningStore
from tests.commands import wait_until
from tests.streams.conftest import Fold
from tests.streams.expected import expected_visits_and_counts, ledger_holds, stored_visits_and_counts
from tests.streams.flow import add_facilities, ask, folded, running, send, town, with_settings


def _append(fold: Fold, random: Random) -> None:
    """Append a town's records: late ones, judged ones, repeats and bytes that are nothing."""
    records = town(random, 25, days=20)
    records += random.sample(records, 5)
    for event in records:
        fold.append(partition_of(event.person_id, fold.settings.partitions), encode(event))
        fold.sent.append(event)
    fold.append(random.randrange(fold.settings.partitions), b"{")


def _waiting(fold: Fold) -> list[Batch]:
    at = dict(ask(fold.settings, "select partition, next_offset from position where topic = 'scan.v1'"))
    return [fold.batch(number, at[number]) for number in fold.log if fold.log[number][at[number] :]]


def _apply(store: object, batches: list[Batch], *, together: bool) -> None:
    assert isinstance(store, JoiningStore)
    if together:
        store.apply_all(batches)
        return
    for batch in batches:
        store.apply(batch)


def _die_in_a_fork(fold: Fold, place: str, *, together: bool) -> int:
    """Fold in a child that dies at the place; return the signal that ended it."""
    batches = _waiting(fold)
    child = os.fork()
    if not child:
        try:
            store = fold.new_store()
            arm(place)
            _apply(store, batches, together=together)
        finally:
            os._exit(0)  # it did not die: 0 is no signal
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)


@pytest.mark.parametrize("together", [True, False])
def test_a_fold_that_dies_at_any_place_leaves_what_the_pure_fold_says(
    fold: Fold, random: Random, *, together: bool
) -> None:
    fold.store.close()  # a fork must not share it
    for place in FOLD:
        _append(fold, random)
        assert _die_in_a_fork(fold, place, together=together) == signal.SIGKILL, place
        store = fold.new_store()
        _apply(store, _waiting(fold), together=together)
        store.close()
    fold.assert_equal_to_the_pure_fold()
    assert sum(fold.ledger()) == sum(map(len, fold.log.values()))


def test_the_same_place_reached_later_is_another_death(fold: Fold, random: Random) -> None:
    _append(fold, random)
    fold.store.close()
    assert _die_in_a_fork(fold, "committed:3", together=False) == signal.SIGKILL
    assert ask(fold.settings, "select count(*) from position where next_offset > 0") == [(3,)]


@pytest.fixture
def there(installation: Settings) -> Settings:
    add_facilities(installation)
    ensure_secret(installation, "seal", "dead-letters")
    return installation


def test_workers_and_relays_that_die_at_their_places_leave_nothing_out(there: Settings, random: Random) -> None:
    sent: list[Scan | ScanDecision] = []

    def more() -> None:
        records = town(random, 20)
        send(there, records)
        sent.extend(records)

    for place in (*WORKER, "commit sent"):
        more()
        _dies(there, place, "worker", "visits")
    with running(there, "worker", "visits"):
        more()
        wait_until(lambda: folded(there) == len(sent))
        for place in RELAY:
            more()
            _dies(there, place, "relay")
        with running(there, "relay"):
            wait_until(lambda: folded(there) == len(sent))
            wait_until(lambda: ask(there, "select count(*) from outbox where published_at is null") == [(0,)])
    assert stored_visits_and_counts(there) == expected_visits_and_counts(sent)
    assert ledger_holds(there)


def test_an_unknown_place_is_a_bug_of_the_test() -> None:
    with pytest.raises(AssertionError):
        arm("nowhere")
    arm("")
    assert {*FOLD, *WORKER, *TRACES, *STANDING, *RELAY, *RETENTION, STATEMENT} == NAMES


def _dies(settings: Settings, place: str, *command: str) -> None:
    with running(with_settings(settings, failpoint=place), *command) as process:
        assert process.wait(60) == -signal.SIGKILL, place
