"""What the database must hold after a load: computed from the scans by the pure core, without servers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from schemas.events import Scan
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.records import SeenScan, seen
from tracing.visits import visits_of


def expected_lines(scans: Iterable[Scan]) -> Iterator[str]:
    """Yield the lines that `bench.store.result_lines` must yield, in any order."""
    histories: defaultdict[str, list[SeenScan]] = defaultdict(list)
    number = 0
    for scan in scans:
        histories[scan.person_id].append(seen(scan))
        number += 1
    sums: dict[FacilityHour, Counts] = {}
    for person, history in histories.items():
        visits = visits_of(history)
        add(sums, counts_of(visits, history))
        for v in visits:
            estimated = f"{str(v.check_in_estimated).lower()}|{str(v.check_out_estimated).lower()}"
            yield f"visit|{person}|{v.facility}|{v.check_in}|{v.check_out}|{estimated}|{v.visit_id}"
    for (facility, hour), counts in sums.items():
        cells = "|".join(str(getattr(counts, name)) for name in Counts.__struct_fields__)
        yield f"hour|{facility}|{hour}|{cells}"
    yield f"scans|{number}"
