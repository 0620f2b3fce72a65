"""From facts to cases: one case is one episode of one person. Pure: the facts of one person in, his cases out.

Dates and classification follow from the set of results that stand, in whatever order they came. Only who opened a
case depends on order: a laboratory's final positive with a new lab_ref does so by itself, anything else waits for a
second person.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final

from msgspec.structs import replace

from tracing.cases.facts import Case, CaseState, Classification, Facts, Request, Result
from tracing.windows import local_day

OVER: Final = frozenset({"closed", "refused"})


def standing(results: Iterable[Result]) -> list[Result]:
    """Return the results that stand: neither superseded nor entered in error.

    Only whoever made a result can supersede it. One entered in error without saying what it supersedes takes back
    what the same laboratory reported under the same lab_ref. What was superseded never stands again.
    """
    results = list(results)
    superseded = {(result.supersedes, result.owner) for result in results if result.supersedes}
    wrong = [result for result in results if result.status == "entered_in_error"]
    taken_back = {(result.lab_ref, result.owner) for result in wrong if not result.supersedes}
    return [
        result
        for result in results
        if result.status != "entered_in_error"
        and (result.result_id, result.owner) not in superseded
        and (result.lab_ref, result.owner) not in taken_back
    ]


def specimen_day(result: Result) -> date:
    """Return the local day of the specimen, in the laboratory's time zone."""
    return local_day(result.specimen_at, result.time_zone)


def episodes(results: Iterable[Result], episode_days: int) -> list[list[Result]]:
    """Return the positives that stand, in episodes: each within `episode_days` of its first, earliest first."""
    positives = [result for result in standing(results) if result.result == "positive"]
    found: list[list[Result]] = []
    for result in sorted(positives, key=lambda one: (one.specimen_at, one.result_id)):
        if found and (specimen_day(result) - specimen_day(found[-1][0])).days <= episode_days:
            found[-1].append(result)
        else:
            found.append([result])
    return found


def cases_of(facts: Facts, episode_days: int, at: int, new_case_id: Callable[[], str]) -> tuple[Facts, list[Case]]:
    """Return the facts, each result with its case, and every case of the person as it is now.

    An episode keeps the case of its results, the eldest where episodes have become one; a case that has no
    positive left is closed. One that was only asked for takes an episode near it.

    Args:
        facts: of one person; the newest result has no case yet.
        episode_days: positives so close together are one case.
        at: when the newest fact came: what opens or closes now, opens or closes then.
        new_case_id: gives the name of a new case.
    """
    taken: dict[str, list[Result]] = {}
    cases = {case.case_id: case for case in facts.cases}
    lineage = _lineage(facts.results)
    for episode in episodes(facts.results, episode_days):
        case_id = _case_for(episode, facts, lineage, taken, episode_days) or new_case_id()
        taken[case_id] = episode
        if case_id not in cases:
            cases[case_id] = _new_case(case_id, episode[0])
    counted = {result.result_id: case_id for case_id, episode in taken.items() for result in episode}
    results = tuple(
        replace(result, case_id=counted.get(result.result_id) or lineage.get(result.result_id, ""))
        for result in facts.results
    )
    told = replace(facts, results=results)
    return told, [_settled(case, taken.get(case.case_id, []), facts, told, at) for case in cases.values()]


def near(cases: Sequence[Case], day: date | None, episode_days: int) -> Case | None:
    """Return the person's case that a request about `day` means; without a day, the latest that is not over."""
    alive = [case for case in cases if case.state != "closed"]
    if day is not None:
        alive = [case for case in alive if abs((case.day_zero - day).days) <= episode_days]
    else:
        alive = [case for case in alive if case.state != "refused"]
    return max(alive, key=lambda case: (case.state != "refused", case.opened_at, case.case_id), default=None)


def _lineage(results: Sequence[Result]) -> dict[str, str]:
    """Return for each result its case, else that of what it supersedes or takes back."""
    by_id = {result.result_id: result for result in results}
    by_ref: dict[tuple[str, str], str] = {}
    for result in results:
        if result.case_id:
            by_ref.setdefault((result.lab_ref, result.owner), result.case_id)
    lineage = {}
    for result in results:
        older: Result | None = result
        seen: set[str] = set()
        while older is not None and not older.case_id and older.result_id not in seen:
            seen.add(older.result_id)
            before = by_id.get(older.supersedes or "")
            older = before if before is not None and before.owner == older.owner else None
        if older is not None and older.case_id:
            lineage[result.result_id] = older.case_id
        elif result.status == "entered_in_error":
            lineage[result.result_id] = by_ref.get((result.lab_ref, result.owner), "")
    return lineage


def _case_for(
    episode: list[Result], facts: Facts, lineage: dict[str, str], taken: dict[str, list[Result]], episode_days: int
) -> str:
    order = {case.case_id: (case.state != "open", case.opened_at, case.case_id) for case in facts.cases}
    known = {lineage.get(result.result_id, "") for result in episode} - {""} - taken.keys()
    if known:
        return min(known, key=lambda case_id: order[case_id])
    used = set(lineage.values())
    asked_for = [case for case in facts.cases if case.case_id not in used and case.case_id not in taken]
    found = near([case for case in asked_for if case.state != "refused"], specimen_day(episode[0]), episode_days)
    return found.case_id if found else ""


def _new_case(case_id: str, first: Result) -> Case:
    return Case(
        case_id=case_id,
        state="pending",
        classification="suspek",
        area=first.area,
        requested_by=first.by,
        requested_role="laboratory" if first.laboratory else "",
        reason=f"positive, {first.status}",
        opened_at=first.received_at,
    )


def _settled(case: Case, episode: list[Result], before: Facts, told: Facts, at: int) -> Case:
    """Return the case with its dates, class and state as its facts have them now."""
    requests = [one for one in told.requests if one.case_id == case.case_id and one.outcome == "done"]
    tested = any(result.case_id == case.case_id for result in (*before.results, *told.results))
    if case.state == "closed" and not episode:
        return case
    if tested and not episode:
        return replace(
            case, state="closed", classification="discarded", approved_by=None, approved_reason=None, closed_at=at
        )
    fresh = {result.result_id for result in before.results if not result.case_id}
    state = _state(case, episode, news=any(result.result_id in fresh for result in episode))
    over, ended = case.state in OVER, state in OVER
    return replace(
        case,
        state=state,
        classification=_classification(state, episode),
        date_onset=_latest("date_onset", episode, requests),
        date_isolation=_latest("date_isolation", episode, requests),
        date_specimen=specimen_day(episode[0]) if episode else _latest("date_specimen", [], requests),
        confirmed_at=at if state == "open" and (over or case.confirmed_at is None) else case.confirmed_at,
        closed_at=(case.closed_at if case.closed_at is not None else at) if ended else None,
    )


def _state(case: Case, episode: list[Result], *, news: bool) -> CaseState:
    if case.approved_by is not None or any(result.opens for result in episode):
        return "open"
    if case.state == "refused" and not news:
        return "refused"
    return "pending"


def _classification(state: CaseState, episode: list[Result]) -> Classification:
    if state in OVER:
        return "discarded"
    if any(result.is_final for result in episode):
        return "konfirmasi"
    return "probable" if episode else "suspek"


def _latest(field: str, episode: list[Result], requests: list[Request]) -> date | None:
    """Return what the latest fact that says it says of a day."""
    said: list[tuple[int, str, date]] = []
    for result in episode:
        day = getattr(result, field, None)
        if day is not None:
            said.append((result.reported_at, result.result_id, day))
    for request in requests:
        day = getattr(request, field)
        if day is not None:
            said.append((request.at, request.request_id, day))
    return max(said)[2] if said else None
