"""What may be committed never runs ahead of what was acked."""

from hypothesis import given
from hypothesis import strategies as st

from streams.ranges import Ranges


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.integers(0, n))))
def test_only_the_head_that_is_acked_whole_is_committed(case: tuple[list[int], int]) -> None:
    order, acked_number = case
    ends = [10 * number + 9 for number in range(len(order))]
    ranges: Ranges[str] = Ranges()
    for end in ends:
        ranges.deliver("p", end)
    acked = set()
    committed = 0
    for number in order[:acked_number]:
        ranges.ack("p", ends[number])
        acked.add(number)
        committed = ranges.take("p") or committed
        head = next((n for n in range(len(order)) if n not in acked), len(order))
        assert committed == (ends[head - 1] + 1 if head else 0)


def test_what_was_forgotten_is_not_committed_by_a_late_ack() -> None:
    ranges: Ranges[str] = Ranges()
    ranges.deliver("p", 9)
    ranges.deliver("q", 5)
    ranges.forget(["p"])
    ranges.ack("p", 9)
    ranges.deliver("p", 19)
    ranges.ack("p", 19)
    assert ranges.take("p") == 20
    ranges.ack("q", 5)
    assert ranges.partitions() == ["q"]
    ranges.forget_all()
    assert ranges.partitions() == []
    assert ranges.take("q") is None


def test_nothing_acked_commits_nothing() -> None:
    ranges: Ranges[str] = Ranges()
    ranges.deliver("p", 9)
    assert ranges.take("p") is None
    assert ranges.take("unknown") is None
