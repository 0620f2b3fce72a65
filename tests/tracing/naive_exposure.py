"""An oracle for exposures: the words of the rule, one pair of visits after another, on plain numbers."""

from dataclasses import dataclass

from tracing.rulesets import Rule

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE


@dataclass(frozen=True)
class Stay:
    person: int
    facility: int
    start: int
    end: int
    recorded: bool = True


Met = tuple[int, int, int, int]  # case's row, other's row, start, end


def exposures(
    rule: Rule, case: list[Stay], window: tuple[int, int], others: list[Stay], *, backward: bool = False
) -> set[Met]:
    """Return the exposures of one case with one window for all his visits."""
    met: list[Met] = []
    for row, stay in enumerate(case):
        span = _case_span(rule, stay, window, backward=backward)
        if span is None:
            continue
        for other_row, other in enumerate(others):
            if other.person == stay.person or other.facility != stay.facility:
                continue
            theirs = (other.start, other.end)
            if backward:
                theirs = (
                    other.start,
                    other.end + rule.tail_minutes * MINUTE * (other.recorded and other.start < other.end),
                )
            start, end = max(span[0], theirs[0]), min(span[1], theirs[1])
            if end - start > 0:
                met.append((row, other_row, start, end))
    if rule.count == "visit":
        return {m for m in met if m[3] - m[2] >= rule.minutes * MINUTE}
    counted = set()
    for person in {others[m[1]].person for m in met}:
        own = [m for m in met if others[m[1]].person == person]
        if _most_in_a_day(own) >= rule.minutes * MINUTE:
            counted |= set(own)
    return counted


def _case_span(rule: Rule, stay: Stay, window: tuple[int, int], *, backward: bool) -> tuple[int, int] | None:
    start, end = max(stay.start, window[0]), min(stay.end, window[1])
    if end <= start:
        return None
    if not backward and stay.recorded and stay.end <= window[1]:
        end += rule.tail_minutes * MINUTE
    return start, end


def _most_in_a_day(met: list[Met]) -> int:
    begins = {b + d for _, _, s, e in met for b in (s, e) for d in (0, -DAY)}
    return max(sum(max(0, min(e, b + DAY) - max(s, b)) for _, _, s, e in met) for b in begins)
