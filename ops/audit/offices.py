"""What one office was told of one trace, against what it must hold. Pure: alert data in, sentences out.

What binds at any revision: an office holds only candidates that concern it, told as they are now, and never more than
the limit; there are candidates it was not told only where the limit is reached. At the first revision it was told the
first in rank, without a gap; how likely each was is not worked out again, for the hours around have gone on. Whom it
was asked to review because no meeting is left it holds until people have decided: he takes no place, and when a
meeting is found again he may be one too many.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from schemas.events import AlertData, AlertSummary
from tracing.cases.alerts import Trace

SHOWN: Final = ("facility_id", "date", "minutes_band", "degree")
Report = Callable[[str, str], None]


class Office:
    """One office and one trace."""

    def __init__(
        self,
        name: str,
        expected: Sequence[AlertData],
        by_place: set[str],
        told: Sequence[tuple[int, AlertData]],
    ) -> None:
        """Take both sides.

        Args:
            name: of case and office, for what is reported.
            expected: what the office would be told today, were it told nothing yet: a summary, then everybody.
            by_place: the candidates of these who concern it by where they were met, not only by where they live.
            told: (revision, alert), in the order of revisions.
        """
        self._name = name
        self._summary = next((data.summary for data in expected if data.summary is not None), None)
        self._told = told
        self._by_revision: dict[int, int] = {}  # how many were held after each revision
        self._held: dict[str, AlertData] = {}
        self._back = 0  # so many came back from a review
        reviewed: set[str] = set()
        for revision, data in told:
            ref = data.contact_ref
            if data.action == "withdrawn" or (data.action == "review" and not data.rank):
                self._held.pop(ref, None)
                (reviewed.add if data.action == "review" else reviewed.discard)(ref)
            elif ref:
                self._held[ref] = data
                self._back += ref in reviewed
                reviewed.discard(ref)
            self._by_revision[revision] = len(self._held)
        singles = [data for data in expected if data.contact_ref]
        self._concerned: Mapping[str, AlertData] = {data.contact_ref: data for data in singles}
        self._listed = [ref for ref in self._concerned if ref in by_place or ref in self._held]

    def check(self, trace: Trace, report: Report) -> None:
        """Report what the office holds and should not, should and does not, or was told otherwise than it is."""
        self._check_held(trace, report)
        self._check_untold(trace, report)
        self._check_summaries(report)

    def _check_held(self, trace: Trace, report: Report) -> None:
        for ref, data in self._held.items():
            row, now = f"alert {data.alert_id} ({self._name}, candidate {ref})", self._concerned.get(ref)
            if now is None:
                report(row, "is not withdrawn, but its candidate does not concern this office")
                continue
            for field in SHOWN:
                said, is_now = getattr(data, field), getattr(now, field)
                if said != is_now:
                    report(row, f"says {field} {said}, the candidate's is {is_now}")
        for revision, number in self._by_revision.items():
            if number > trace.limit + self._back:
                report(self._name, f"holds {number} candidates at revision {revision}, the limit is {trace.limit}")

    def _check_untold(self, trace: Trace, report: Report) -> None:
        due = min(trace.limit, len(self._listed))
        untold = [ref for ref in self._listed if ref not in self._held]
        for ref in untold[: max(0, due - (len(self._listed) - len(untold)))]:
            report(f"candidate {ref} ({self._name})", f"is on its list, of which {due} are due, but has no alert")
        first = {data.rank for revision, data in self._told if revision == 1 and data.action == "added"}
        for rank in sorted(set(range(1, max(first, default=0))) - first):
            report(self._name, f"was told of others at first, but not of number {rank} of its list")

    def _check_summaries(self, report: Report) -> None:
        summaries = [(revision, data) for revision, data in self._told if data.summary is not None]
        if self._listed and not summaries:
            report(self._name, f"has {len(self._listed)} candidates, but no summary")
        for revision, data in summaries:
            assert data.summary is not None
            row, held = f"alert {data.alert_id} ({self._name})", self._by_revision.get(revision, 0)
            if data.summary.sent_one_by_one != held:
                report(row, f"says {data.summary.sent_one_by_one} were told one by one, there are {held}")
            for counted in (data.summary.by_role, data.summary.by_zone, data.summary.by_minutes):
                if sum(counted.values()) != data.summary.candidates:
                    report(row, "its counts do not add up to its candidates")
        self._check_latest(summaries, report)

    def _check_latest(self, summaries: Sequence[tuple[int, AlertData]], report: Report) -> None:
        """Nothing changed since the last revision told: its summary holds, or everybody is told one by one."""
        latest = max(self._by_revision, default=0)
        newest = next((data for revision, data in reversed(summaries) if revision == latest), None)
        if newest is None or newest.summary is None:
            rest = len(self._listed) - len(self._held.keys() & set(self._listed))
            if summaries and rest:
                report(
                    self._name,
                    f"{rest} candidates are on its list only, but no summary of revision {latest} counts them",
                )
            return
        said, now = newest.summary, self._summary or _NOBODY
        if not len(self._listed) <= said.candidates <= len(self._concerned):
            row = f"alert {newest.alert_id} ({self._name})"
            report(row, f"its summary counts {said.candidates} candidates, there are {len(self._concerned)}")
        elif len(self._listed) == len(self._concerned) and said.by_minutes != now.by_minutes:
            row = f"alert {newest.alert_id} ({self._name})"
            report(row, f"its summary counts {said.by_minutes} by minutes, there are {now.by_minutes}")


_NOBODY: Final = AlertSummary(candidates=0, by_role={}, by_zone={}, by_minutes={}, sent_one_by_one=0)
