"""Which possible source comes first: a case that could pass it on, then anybody, last one who could not yet."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from tracing.exposure import Ints
from tracing.filetrace.contacts import Contacts
from tracing.filetrace.decision import Found
from tracing.windows import Window

INFECTIOUS: Final = 0  # a case with an exposure partly inside his own window
ANYBODY: Final = 1
NOT_YET: Final = 2  # a case whose window begins only after the last exposure


class Standing(NamedTuple):
    """What is known of a source, the smallest first."""

    order: int
    case: int  # the case that he is, -1 for none


def standings(
    found: Found, sources: Contacts, cases_of: Mapping[int, Sequence[int]], windows: Sequence[Window]
) -> list[Standing]:
    """Return what is known of each source; of several cases of one person, the most telling.

    Args:
        found: the exposures that `sources` point into.
        sources: in any order.
        cases_of: the cases of a person, by case_id.
        windows: of the cases.
    """
    known = []
    spans = zip(sources.from_person.tolist(), sources.begins.tolist(), sources.ends.tolist(), strict=True)
    for person, begins, ends in spans:
        start, end = found.start[begins:ends], found.end[begins:ends]
        own = [Standing(_order(start, end, windows[case]), case) for case in cases_of.get(person, ())]
        known.append(min(own, default=Standing(ANYBODY, -1)))
    return known


def _order(start: Ints, end: Ints, window: Window) -> int:
    if (np.minimum(end, window.end) > np.maximum(start, window.start)).any():
        return INFECTIOUS
    return NOT_YET if window.start > end.max() else ANYBODY
