"""From exposures to contacts: one per (case, from, to), in the order of rank. Pure, on arrays.

Rank is the probability of having been truly close, the greatest first, then the time together, then person id.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracing.exposure import Flags, Ints
from tracing.filetrace.decision import Found


class Contacts(NamedTuple):
    """One entry per (case, degree, from, to); its exposures are `begins` to `ends` of the sorted ones."""

    case: Ints
    degree: Ints
    from_person: Ints
    to_person: Ints
    begins: Ints
    ends: Ints
    first_start: Ints
    last_end: Ints
    total_us: Ints
    longest: Ints  # which exposure; the earliest at a tie
    millionths: Ints  # the probability; 0 until somebody says it
    estimated: Flags

    def take(self, rows: Ints) -> "Contacts":
        """Return some of them, in this order."""
        numbers: Sequence[Ints] = self[:-1]
        return _contacts([column[rows] for column in numbers], self.estimated[rows])


def contacts_of(found: Found, person: Ints, recorded: Flags, id_ranks: tuple[Ints, Ints]) -> tuple[Found, Contacts]:
    """Return the exposures by contact and time, and the contacts.

    Args:
        found: exposures in any order.
        person: of each row of the file.
        recorded: whether somebody scanned the row's check-out.
        id_ranks: of both visits' ids among all of `found`, which decide only where times are equal.
    """
    from_person, to_person = person[found.from_row], person[found.to_row]
    order = np.lexsort(
        (
            id_ranks[1],
            id_ranks[0],
            found.end,
            found.start,
            to_person,
            from_person,
            found.degree,
            found.case,
        )
    )
    found = Found(*(column[order] for column in found))
    whose = (found.case, found.degree, from_person[order], to_person[order])
    begins = np.flatnonzero(np.logical_or.reduce([np.diff(key, prepend=-1) != 0 for key in whose]))
    if not begins.size:
        none = np.empty(0, dtype=np.int64)
        return found, _contacts([none] * 11, np.empty(0, dtype=np.bool_))
    length = found.end - found.start
    ends = np.append(begins[1:], length.size)
    longest_us = np.repeat(np.maximum.reduceat(length, begins), ends - begins)
    places = np.where(length == longest_us, np.arange(length.size), length.size)
    estimated = ~(recorded[found.from_row] & recorded[found.to_row])
    numbers = [
        *(key[begins] for key in whose),
        begins,
        ends,
        found.start[begins],
        np.maximum.reduceat(found.end, begins),
        np.add.reduceat(length, begins),
        np.minimum.reduceat(places, begins),
        np.zeros(begins.size, dtype=np.int64),
    ]
    return found, _contacts(numbers, np.logical_or.reduceat(estimated, begins))


def ranked(contacts: Contacts, texts: Sequence[str], better: Ints | None = None) -> tuple[Contacts, Ints]:
    """Return the contacts by case, degree and rank, and the ranks: each case and degree counts from 1.

    Args:
        contacts: in any order.
        texts: the person ids behind the numbers.
        better: a number per contact that goes before everything, the smallest first.
    """
    first = np.zeros_like(contacts.case) if better is None else better
    from_rank, to_rank = rank_of(contacts.from_person, texts), rank_of(contacts.to_person, texts)
    likely = -contacts.millionths
    order = np.lexsort((from_rank, to_rank, -contacts.total_us, likely, first, contacts.degree, contacts.case))
    sorted_contacts = contacts.take(order)
    new = (np.diff(sorted_contacts.case, prepend=-1) != 0) | (np.diff(sorted_contacts.degree, prepend=-1) != 0)
    begins = np.flatnonzero(new)
    counts = np.diff(np.append(begins, new.size))
    return sorted_contacts, np.arange(new.size) - np.repeat(begins, counts) + 1


def rank_of(numbers: Ints, texts: Sequence[str]) -> Ints:
    """Return the place of each number's text among the others', by code point."""
    unique, inverse = np.unique(numbers, return_inverse=True)
    order = np.argsort(np.array([texts[number] for number in unique.tolist()], dtype=object), kind="stable")
    rank = np.empty(unique.size, dtype=np.int64)
    rank[order] = np.arange(unique.size)
    return rank[inverse]


def _contacts(numbers: Sequence[Ints], estimated: Flags) -> Contacts:
    case, degree, source, target, begins, ends, first, last, total, longest, millionths = numbers
    return Contacts(case, degree, source, target, begins, ends, first, last, total, longest, millionths, estimated)
