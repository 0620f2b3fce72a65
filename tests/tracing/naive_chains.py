"""The figures of chains a second time, by the words of the guide: dicts, fractions and 60 decimals, nothing shared."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from statistics import mean, median
from typing import Any

LineList = Sequence[tuple[str, str]]  # id, date_onset or empty
Contacts = Sequence[tuple[str, str]]  # from, to


def naive_summary(linelist: LineList, contacts: Contacts) -> dict[str, Any]:
    """Return what summary.json holds."""
    ids = {end for pair in contacts for end in pair}
    onset = {person: date.fromisoformat(text) for person, text in linelist if text}
    intervals = [(onset[b] - onset[a]).days for a, b in contacts if a in onset and b in onset]
    everybody = sorted(ids | {person for person, _ in linelist})
    made = Counter(a for a, _ in contacts)
    offspring = [made[person] for person in everybody]
    sizes = sorted(map(len, naive_components(ids, contacts)), reverse=True)
    return {
        "linelist": len(linelist),
        "ids": len(ids),
        "contacts": len(contacts),
        "in_degree": naive_degree(ids, [b for _, b in contacts]),
        "out_degree": naive_degree(ids, [a for a, _ in contacts]),
        "components": {"count": len(sizes), "sizes": sizes},
        "onset_interval_days": {
            "n": len(intervals),
            "mean": mean(intervals) if intervals else None,
            "median": median(intervals) if intervals else None,
        },
        "offspring": {
            "n": len(everybody),
            "R": len(contacts) / len(everybody) if everybody else None,
            "k": naive_k(offspring),
            "share_80": naive_share(offspring),
        },
        "implausible_links": sum(days < 0 for days in intervals),
    }


def naive_degree(ids: set[str], ends: list[str]) -> dict[str, Any]:
    """Return mean, max and the smallest id that has the most."""
    if not ids:
        return {"mean": None, "max": None, "max_id": None}
    degree = {person: ends.count(person) for person in ids}
    most = max(degree.values())
    return {
        "mean": sum(degree.values()) / len(ids),
        "max": most,
        "max_id": min(person for person in ids if degree[person] == most),
    }


def naive_components(ids: set[str], contacts: Contacts) -> list[set[str]]:
    """Return the weak components: groups that are joined as long as a link joins two."""
    groups = [{person} for person in ids]
    for a, b in contacts:
        one = next(group for group in groups if a in group)
        other = next(group for group in groups if b in group)
        if one is not other:
            groups.remove(other)
            one |= other
    return groups


def naive_share(offspring: list[int]) -> float | None:
    """Return the smallest share of ids that make 80 % of the links, tried one by one."""
    if not sum(offspring):
        return None
    most_first = sorted(offspring, reverse=True)
    number = next(
        n for n in range(len(offspring) + 1) if Fraction(sum(most_first[:n]), sum(offspring)) >= Fraction(4, 5)
    )
    return number / len(offspring)


def naive_k(offspring: list[int]) -> float | None:
    """Return k where the derivative of the likelihood changes its sign, found by halving in 60 decimals."""
    n = len(offspring)
    if not n:
        return None
    average = Fraction(sum(offspring), n)
    if sum((number - average) ** 2 for number in offspring) / n <= average:
        return None
    with localcontext() as context:
        context.prec = 60
        middle = Decimal(average.numerator) / average.denominator
        steps = [j for number in offspring for j in range(number)]

        def slope(k: Decimal) -> Decimal:
            sums = sum((Decimal(1) / (k + j) for j in steps), Decimal(0))
            return sums - n * (1 + middle / k).ln()

        low, high = Decimal("1e-12"), Decimal("1e12")
        for _ in range(120):
            k = (low * high).sqrt()
            low, high = (k, high) if slope(k) > 0 else (low, k)
        return float(low)
