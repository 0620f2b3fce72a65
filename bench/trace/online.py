"""One trace of first degree after the other: our index beside what else PostgreSQL and DuckDB have."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np

from bench.figures import Report
from bench.tools import Say
from bench.trace.answer import RULE, hash_of_rows
from bench.trace.contenders.online import PEERS, SETTINGS, Fetch, duckdb, postgres
from bench.trace.stored import person_of, store_peer
from bench.trace.town import Case, onset_of
from ops.store import OPERATOR, transaction
from schemas.errors import Unavailable
from schemas.settings import Settings
from tracing.cases import lookup
from tracing.cases.met import merged
from tracing.exposure import case_spans
from tracing.store import Cursor
from tracing.windows import FARTHEST_US, Window, case_window

WHOLE: Final = "ours-whole"
WARM: Final = 20  # traces asked before any is timed
Times = defaultdict[str, list[float]]


def measure(settings: Settings, folder: Path, cases: Sequence[Case], pairs: int, report: Report, say: Say) -> None:
    """Time every case with every contender in turn, every second round in the other order."""
    for name in ("gist", "btree"):
        began = perf_counter()
        store_peer(settings, name)
        say(f"{name}: table and index in {perf_counter() - began:.1f} s")
    times: Times = defaultdict(list)
    with transaction(settings, OPERATOR) as ours, transaction(settings, OPERATOR) as theirs:
        cur, peer = ours.cursor(), theirs.cursor()
        peer.execute(SETTINGS)
        fetches = {"ours": postgres(cur, "ours"), "gist": postgres(peer, "gist"), "btree": postgres(peer, "btree")}
        try:
            fetches["duckdb"] = duckdb(folder)
        except ImportError as error:
            report.not_run["duckdb"] = str(error)
        for case in cases[:WARM]:
            _ask(cur, fetches, case)
        exposures = 0
        for number in range(pairs):
            for case in cases:
                order = list(fetches) if number % 2 == 0 else list(fetches)[::-1]
                exposures += _timed(cur, {name: fetches[name] for name in order}, case, times)
            say(f"online {number + 1}/{pairs}: {_said(times)}")
    report.data |= {
        "exposures_a_case": round(exposures / pairs / len(cases)),
        "contenders": {
            **{one.name: {"title": one.title, "settings": one.settings} for one in PEERS if one.name in fetches},
            WHOLE: {"title": "ours, with all that is shown of each visit", "settings": "`tracing.cases.lookup.find`"},
        },
    }
    middle = median(times["ours"])
    for name, it in report.data["contenders"].items():
        it.update(quantiles(times[name]), times_ours=round(median(times[name]) / middle, 2))


def whole_times(settings: Settings, cases: Sequence[Case]) -> list[float]:
    """Return the milliseconds of each of our traces, warm."""
    found = []
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        for case in (*cases[:WARM], *cases):
            began = perf_counter()
            lookup.find(cur, RULE, person_of(case.person), partial(_window, case))
            found.append((perf_counter() - began) * 1e3)
    return found[min(WARM, len(cases)) :]


def quantiles(times: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds."""
    return {f"p{part}_ms": round(float(np.percentile(times, part)), 2) for part in (50, 95, 99)}


def _timed(cur: Cursor, fetches: Mapping[str, Fetch], case: Case, times: Times) -> int:
    """Ask all for one case, and compare; return the number of exposures."""
    results = {}
    for name, fetch in fetches.items():
        began = perf_counter()
        found = _look(cur, fetch, case)
        times[name].append((perf_counter() - began) * 1e3)
        results[name] = hash_of_rows(found)
    began = perf_counter()
    seen = lookup.find(cur, RULE, person_of(case.person), partial(_window, case))
    times[WHOLE].append((perf_counter() - began) * 1e3)
    number = len(seen.exposures)
    if len(set(results.values())) != 1 or number != len(found[0]):
        raise Unavailable(f"the answers for a case differ: {results}")
    return number


def _ask(cur: Cursor, fetches: Mapping[str, Fetch], case: Case) -> None:
    _timed(cur, fetches, case, defaultdict(list))


def _look(cur: Cursor, fetch: Fetch, case: Case) -> list[Any]:
    """Return the exposures of a case as columns: place, person, from when to when."""
    start, end = _window(case, "UTC")
    person = person_of(case.person)
    own = lookup.own_visits(cur, person, Window(start - FARTHEST_US, end + FARTHEST_US))
    asked = lookup.asked_of(own, {zone: _window(case, zone) for zone in lookup.zones_of(own)})
    spans = merged(case_spans(RULE, asked.visits(np.zeros_like(asked.key)), asked.cases))
    met = fetch(spans).without(person)
    found = lookup.decide(RULE, asked, met)
    return [met.key[found.other] >> 3, met.low[found.other].astype(np.int64), found.start, found.end]


def _window(case: Case, zone: str) -> Window:
    return case_window(RULE, onset_of(case.day), None, zone)


def _said(times: Times) -> str:
    return ", ".join(f"{name} {median(some):.1f} ms" for name, some in times.items())
