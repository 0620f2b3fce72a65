"""What is dropped leaves a carry: from the horizon on nothing is otherwise than if nothing had been dropped."""

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracing.persons import DATED_STAYS, DAY, MINUTE, SHORT_STAYS, scans_of_one_person
from tests.tracing.test_fast import FACILITIES, LAW, PERSON, comparable, scans_in_order
from tracing.carries import drop, resumed_counts
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.fast import NEW, NO_HORIZON, State, decode_state, encode_state, follow, is_in_order, resumed
from tracing.histories import History, histories
from tracing.records import SeenScan
from tracing.rows import DecisionKey, StoredScan
from tracing.stays import DEFAULT_RULES, DEFAULT_STAYS, StayRule, Stays
from tracing.visits import NOTHING, Carry, Visit, paired, settled, settles_at, visits_of

LONG_STAYS = Stays([StayRule(rule.valid_from, rule.kind, 300 * MINUTE, 30 * MINUTE) for rule in DEFAULT_RULES])
STAYS = st.sampled_from([DEFAULT_STAYS, DATED_STAYS, SHORT_STAYS, LONG_STAYS])
BESIDE = st.sampled_from(
    [0, 0, 1, -1, MINUTE, 10 * MINUTE, 10 * MINUTE + 1, 61 * MINUTE, 5 * 60 * MINUTE, DAY, 31 * DAY]
)


@st.composite
def horizons(draw: st.DrawFn, instants: Sequence[int]) -> int:
    """Draw a horizon at an instant of a scan, or just beside one, or long after."""
    return draw(st.sampled_from(instants or [0])) + draw(BESIDE)


@st.composite
def scans_and_horizon(draw: st.DrawFn) -> tuple[list[SeenScan], int]:
    scans = draw(scans_of_one_person())
    return scans, draw(horizons([scan.at for scan in scans]))


def split(scans: Sequence[SeenScan], horizon: int) -> tuple[list[SeenScan], list[SeenScan]]:
    return [scan for scan in scans if scan.at < horizon], [scan for scan in scans if scan.at >= horizon]


def carry_of(scans: Sequence[SeenScan], horizon: int, stays: Stays = DEFAULT_STAYS, carry: Carry = NOTHING) -> Carry:
    """Return all that the scans from `horizon` on can ask of those before it."""
    return settled(paired(split(scans, horizon)[0], stays, carry)[1], horizon, stays)


def asked(carry: Carry) -> tuple[object, ...]:
    """Return what of a carry can be asked for: the time of an exit only where there is one."""
    at = carry.exit_at if carry.exit_facility is not None else 0
    latest = carry.latest if carry.opened is not None else 0
    zones = carry.zones if carry.opened is not None else ()
    return carry.opened, latest, zones, carry.exit_facility, at, carry.previous_end


@LAW
@given(scans_and_horizon(), STAYS)
def test_from_the_horizon_on_the_visits_are_those_of_all_scans(drawn: tuple[list[SeenScan], int], stays: Stays) -> None:
    scans, horizon = drawn
    old, new = split(scans, horizon)
    whole = visits_of(scans, stays)
    rest = visits_of(new, stays, carry_of(old, horizon, stays))
    gone = whole[: len(whole) - len(rest)]
    assert gone + rest == whole
    assert all(visit.check_out <= horizon for visit in gone)
    assert carry_of(scans, horizon, stays) == carry_of(old, horizon, stays)


@LAW
@given(scans_and_horizon(), STAYS)
def test_a_visit_from_before_the_horizon_is_kept_only_where_a_scan_can_still_change_it(
    drawn: tuple[list[SeenScan], int], stays: Stays
) -> None:
    scans, horizon = drawn
    old, _ = split(scans, horizon)
    carry = carry_of(old, horizon, stays)
    if carry.opened is None:
        return
    alone = visits_of((), stays, carry)[0]
    longest = stays.max_stay(carry.opened.kind, carry.opened.role, carry.opened.at)
    witnesses = [msgspec.structs.replace(carry.opened, scan_id="￿", gate="entrance", zone="", at=horizon)]
    if horizon - carry.opened.at <= longest:
        witnesses.append(msgspec.structs.replace(witnesses[0], gate="exit", at=carry.opened.at + longest))
    assert any(visits_of([one], stays, carry)[0] != alone for one in witnesses)


@LAW
@given(scans_and_horizon(), st.data(), STAYS)
def test_to_move_twice_is_to_move_once(drawn: tuple[list[SeenScan], int], data: st.DataObject, stays: Stays) -> None:
    scans, first = drawn
    second = max(first, data.draw(horizons([scan.at for scan in scans])))
    old, new = split(scans, first)
    twice = carry_of(new, second, stays, carry_of(old, first, stays))
    assert asked(twice) == asked(carry_of(scans, second, stays))
    assert asked(settled(twice, second, stays)) == asked(twice)


@LAW
@given(scans_and_horizon(), STAYS)
def test_a_carry_has_less_to_say_at_the_horizon_it_names_and_not_before(
    drawn: tuple[list[SeenScan], int], stays: Stays
) -> None:
    scans, horizon = drawn
    carry = carry_of(scans, horizon, stays)
    until = settles_at(carry, stays)
    if until is None:
        assert asked(carry) == asked(NOTHING)
        return
    assert until > horizon
    assert asked(settled(carry, until - 1, stays)) == asked(carry)
    assert asked(settled(carry, until, stays)) != asked(carry)


def test_a_person_who_stays_away_is_forgotten_whole() -> None:
    scan = SeenScan("a", "p", "R", "hospital", "Asia/Jakarta", "entrance", "", 0)
    carry, steps = carry_of([scan], DAY), 0
    while (until := settles_at(carry, DEFAULT_STAYS)) is not None:
        carry, steps = settled(carry, until, DEFAULT_STAYS), steps + 1
    assert asked(carry) == asked(NOTHING)
    assert steps == 2  # the open visit, then its end


class Life:
    """What a database holds of one person while his records come in any order and the horizon moves."""

    def __init__(self, stays: Stays) -> None:
        self.stays = stays
        self.horizon = NO_HORIZON
        self.ever: list[StoredScan] = []  # all that was taken in
        self.verdicts: dict[DecisionKey, tuple[int, str, str]] = {}
        self.scans: list[StoredScan] = []
        self.decided: dict[DecisionKey, tuple[int, str, str]] = {}
        self.visits: dict[str, Visit] = {}
        self.counts: dict[FacilityHour, Counts] = {}
        self.dropped: dict[FacilityHour, Counts] = {}
        self.state = NEW
        self.carry = NEW
        self.fast = self.forgotten = 0

    def fold(self, scans: Sequence[StoredScan], decided: dict[DecisionKey, tuple[int, str, str]]) -> None:
        scans = [scan for scan in scans if scan.at >= self.horizon]
        decided = {key: row for key, row in decided.items() if row[0] >= self.horizon}
        if not scans and not decided:
            return
        self.ever += scans
        self.scans += scans
        self.verdicts |= decided
        self.decided |= decided
        history = self._history()
        new = {(scan.person, scan.scan_id) for scan in scans} | decided.keys()
        change, row = history.folded(new, FACILITIES, self.stays)
        bare = [one for one in history.seen(FACILITIES) if (PERSON, one.scan_id) in new]
        if not decided and is_in_order(self.state, bare):
            self.fast += 1
            fast, row = follow(self.state, bare, FACILITIES, self.stays)
            assert comparable(fast) == comparable(change)
        assert decode_state(encode_state(row).decode()) == row
        for visit in change.gone:
            assert self.visits.pop(visit.visit_id) == visit
        self.visits |= {visit.visit_id: visit for visit in change.come}
        add(self.counts, change.counts)
        self.state = row

    def move(self, horizon: int) -> None:
        self.horizon = max(self.horizon, horizon)
        history = self._history()
        dropped = drop(history, self.decided, self.horizon, FACILITIES, self.stays)
        assert dropped is not None
        self.scans = [scan for scan in self.scans if scan not in dropped.scans]
        assert all(scan.at >= self.horizon for scan in self.scans)
        for key in dropped.decisions:
            del self.decided[key]
        for visit in dropped.visits:
            assert self.visits.pop(visit.visit_id) == visit
        add(self.dropped, dropped.counts)
        self.carry = NEW if dropped.carry is None else dropped.carry
        assert dropped.carry is None or dropped.until > self.horizon
        if dropped.is_last:
            assert (self.scans, self.decided, self.visits) == ([], {}, {})
            self.state, self.forgotten = NEW, self.forgotten + 1

    def _history(self) -> History:
        (history,) = histories(self.scans, self.decided, self.visits.values(), {PERSON: self.carry})
        return history

    def check(self) -> None:
        """Compare with all that was ever taken in, of which nothing was dropped."""
        (whole,) = histories(self.ever, self.verdicts, (), {PERSON: NEW})
        scans = whole.seen(FACILITIES)
        visits = visits_of(scans, self.stays)
        assert self.counts == counts_of(visits, scans)
        kept = [visit for visit in visits if visit.visit_id in self.visits]
        assert self.visits == {visit.visit_id: visit for visit in kept}
        assert all(one.check_out <= self.horizon for one in visits if one.visit_id not in self.visits)
        seen = self._history().seen(FACILITIES)
        again = dict(self.dropped)
        found = visits_of(seen, self.stays, resumed(self.carry, PERSON, FACILITIES)[0])
        assert found == kept
        add(again, resumed_counts(self.carry, found, seen, FACILITIES))
        assert again == self.counts


@st.composite
def lives(
    draw: st.DrawFn,
) -> tuple[list[tuple[list[StoredScan], dict[DecisionKey, tuple[int, str, str]], list[int]]], Stays]:
    """Draw batches, most in order, some late, some judged, with a horizon after some of them."""
    scans = draw(scans_in_order(14))
    if draw(st.integers(0, 2)) == 0:
        scans = draw(st.permutations(scans))
    batches: list[tuple[list[StoredScan], dict[DecisionKey, tuple[int, str, str]], list[int]]] = []
    while scans:
        size = draw(st.integers(1, 4))
        some, scans = scans[:size], scans[size:]
        judged: dict[DecisionKey, tuple[int, str, str]] = {}
        for one in draw(st.sets(st.sampled_from(some + scans[:1]), max_size=1)) if draw(st.integers(0, 2)) == 0 else ():
            verdict = draw(st.sampled_from(["void", "flag", "clear"]))
            judged[PERSON, one.scan_id, len(batches), "rule"] = (one.at, verdict, "")
        seen = [scan.at for scan in some]
        batches.append((some, judged, sorted(draw(st.lists(horizons(seen), max_size=2)))))
    return batches, draw(st.sampled_from([DEFAULT_STAYS, DATED_STAYS, LONG_STAYS]))


@settings(LAW, max_examples=400)
@given(lives())
def test_a_life_with_a_horizon_that_moves_counts_what_a_life_without_one_counts(
    drawn: tuple[list[tuple[list[StoredScan], dict[DecisionKey, tuple[int, str, str]], list[int]]], Stays],
) -> None:
    batches, stays = drawn
    life = Life(stays)
    for scans, decided, moves in batches:
        life.fold(scans, decided)
        if life.ever:
            life.check()
        for horizon in moves if life.ever else ():
            life.move(horizon)
            life.check()


def test_visits_that_are_not_what_the_scans_say_are_not_dropped() -> None:
    scan = StoredScan(PERSON, "a", 1, "entrance", "", 0, True, "unknown", "app")
    history = History([scan], [], [], NEW, PERSON)
    assert drop(history, {}, 99 * DAY, FACILITIES, DEFAULT_STAYS) is None
    right = visits_of(history.seen(FACILITIES))
    assert drop(History([scan], [], right * 2, NEW, PERSON), {}, 99 * DAY, FACILITIES, DEFAULT_STAYS) is None
    assert drop(History([scan], [], right, NEW, PERSON), {}, 99 * DAY, FACILITIES, DEFAULT_STAYS) is not None


def test_a_decision_whose_scan_never_came_goes_with_its_time() -> None:
    key: DecisionKey = (PERSON, "a", 1, "rule")
    for at, horizon, gone in ((5, 5, []), (5, 6, [key])):
        history = History([], [(key, "void")], [], NEW, PERSON)
        dropped = drop(history, {key: (at, "void", "")}, horizon, FACILITIES, DEFAULT_STAYS)
        assert dropped is not None
        assert dropped.decisions == gone
        assert dropped.is_last == bool(gone)


def test_a_carry_s_row_is_a_person_s_row() -> None:
    scan = StoredScan(PERSON, "a", 1, "entrance", "ward", 0, True, "inpatient", "app")
    history = History([scan], [], [], NEW, PERSON)
    history.visits = visits_of(history.seen(FACILITIES))
    dropped = drop(history, {}, DAY, FACILITIES, DEFAULT_STAYS)
    assert dropped is not None
    assert isinstance(dropped.carry, State)
    assert dropped.carry.opened is not None
    assert (dropped.visits, dropped.counts) == ([], {})
    carry, stored = resumed(dropped.carry, PERSON, FACILITIES)
    assert stored == history.visits
    assert visits_of((), DEFAULT_STAYS, carry) == stored
