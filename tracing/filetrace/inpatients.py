"""Which cases of a file were inpatients at onset: needs the extra column `role` of V.csv, in the words of a scan."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from tracing.cases.candidates import Place
from tracing.cases.onset import StayAtOnset, stay_at_onset
from tracing.cases.places import Stay
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.visit_file import VisitFile
from tracing.instants import DAY_US
from tracing.windows import Window

ROLE: Final = "role"
_OPEN_STAY_US: Final = 30 * DAY_US  # an inpatient who did not leave: the longest stay in a hospital


def hospital_onsets(
    visits: VisitFile,
    cases: Sequence[FileCase],
    persons: Sequence[int],
    windows: Sequence[Window],
    time_zone: str,
) -> dict[int, StayAtOnset]:
    """Return the day of stay at onset of each case that was an inpatient then, by the place of the case.

    Args:
        visits: without a column `role` nobody is an inpatient.
        cases: in the order of the answer.
        persons: number of each case's person among the visits, -1 for none.
        windows: of the cases; a stay that begins after it says nothing of him.
        time_zone: whose days are meant.
    """
    if ROLE not in visits.extra_columns:
        return {}
    column = visits.extra_columns.index(ROLE)
    columns = visits.columns.visits
    rows = np.flatnonzero(np.isin(columns.person, np.array([one for one in set(persons) if one >= 0], dtype=np.int64)))
    stays: dict[int, list[Stay]] = {}
    for row, detail in zip(rows.tolist(), visits.details(rows), strict=True):
        if detail.extra[column] == "inpatient":
            begin, end = int(columns.check_in[row]), int(columns.check_out[row])
            end = end if columns.recorded[row] else begin + _OPEN_STAY_US
            facility = visits.columns.facilities[int(columns.facility[row])]
            place = Place(0, facility, facility, time_zone, "")
            stay = Stay(detail.visit_id, "", place, begin, end, False, False, detail.extra[column], ())
            stays.setdefault(int(columns.person[row]), []).append(stay)
    found = {}
    for number, (case, person, window) in enumerate(zip(cases, persons, windows, strict=True)):
        known = [stay for stay in stays.get(person, ()) if stay.check_in < window.end]
        found[number] = stay_at_onset(known, case.day_zero)
    return {number: one for number, one in found.items() if one is not None}
