"""The verdict: what the witness was promised, put through the oracle, against every row and column that is stored.

A full outer join each: what is missing, what should not be there, and which column differs. Imports the oracle and
what the witness told, nothing of the product (a test holds it).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from zlib import crc32

from ops.chaos import heard, oracle
from ops.chaos.diary import FAIL, OK, UNKNOWN
from ops.chaos.told import STRENGTH, Decision, Result, Sent, Told, Who

RULE: Final = "kmk-4641-2021"

Row = tuple[Any, ...]
Rows = dict[Row, Row]


@dataclass
class Stored:
    """Every table the verdict looks at, as plain tuples; how they were read is somebody else's business."""

    partitions: int = 0
    scans: Rows = field(default_factory=dict)  # (person, scan_id): as Sent, then entered_by is set
    decisions: Rows = field(default_factory=dict)  # as Decision: ()
    visits: Rows = field(default_factory=dict)  # (person, visit_id)
    hours: Rows = field(default_factory=dict)  # (facility, hour, shard)
    positions: Rows = field(default_factory=dict)  # (topic, partition): first, next, applied, duplicate, dead
    dead: set[tuple[str, int, int]] = field(default_factory=set)
    results: Rows = field(default_factory=dict)  # result_id: person, lab_ref, result, case_id
    cases: Rows = field(default_factory=dict)  # person: case_id, state, onset, specimen, isolation
    exposures: Rows = field(default_factory=dict)  # (case_id, rule, own visit, other visit)
    candidates: Rows = field(default_factory=dict)  # (case_id, rule, from, person)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    names: dict[tuple[str, str, str], str] = field(default_factory=dict)  # (case_id, office, ref): person or ""
    topic_visits: Rows | None = None  # (person, visit_id), as visits, by the last word on the topic
    topic_hours: Rows | None = None
    topic_alerts: Counter[str] | None = None  # alert ids on the offices' topics


@dataclass
class Verdict:
    """What differs, one line each, and how much was looked at."""

    differences: list[str] = field(default_factory=list)
    looked_at: Counter[str] = field(default_factory=Counter)
    lost: int = 0  # promised and not there
    double: int = 0  # there twice, or refused and there
    wrong: int = 0  # anything else

    def add(self, kind: str, line: str) -> None:
        """Note a difference of a kind: lost, double or wrong."""
        self.differences.append(line)
        setattr(self, kind, getattr(self, kind) + 1)


def judge(told: Told, stored: Stored) -> Verdict:
    """Return how the stored state differs from what must be."""
    verdict = Verdict()
    facilities = {name: oracle.Facility(name, *rest) for name, *rest in told.begin["places"]}
    persons = _persons(told, stored, verdict)
    standing = _scans(told, stored, persons, verdict)
    verdicts = _decisions(told, stored, verdict)

    def recomputed(some: dict[Who, Sent]) -> tuple[list[oracle.Visit], Rows]:
        return _recomputed(some, verdicts, facilities, stored.partitions)

    visits, hours = recomputed(standing)
    columns = ("facility", "class", "long", "check_in", "check_out", "in_estimated", "out_estimated", "role", "zones")
    join(verdict, "visit", columns, _visit_rows(visits), stored.visits)
    join(verdict, "hour", oracle.Hour.FIELDS, hours, stored.hours)
    _positions(told, stored, verdict)
    early = _before_late(told, persons, standing, visits, recomputed)
    _traces(told, stored, persons, (early, visits), verdict)
    if stored.topic_visits is not None:
        join(
            verdict,
            "visit.v1",
            columns[3:],
            {k: row[3:] for k, row in _visit_rows(visits).items()},
            stored.topic_visits,
        )
    if stored.topic_hours is not None:
        join(verdict, "facility-count.v1", oracle.Hour.FIELDS, hours, stored.topic_hours)
    return verdict


def join(
    verdict: Verdict, what: str, columns: Sequence[str], must: Mapping[Row, Row], found: Mapping[Row, Row]
) -> None:
    """Join all rows of both sides, column by column."""
    verdict.looked_at[what] += len(must.keys() | found.keys())
    for key in sorted(must.keys() - found.keys(), key=repr):
        verdict.add("lost" if what == "scan" else "wrong", f"{what} {_shown(key)}: is missing")
    for key in sorted(found.keys() - must.keys(), key=repr):
        verdict.add("double" if what == "scan" else "wrong", f"{what} {_shown(key)}: should not be there")
    for key, row in must.items():
        other = found.get(key, row)
        if other != row:
            for name, one, two in zip(columns, row, other, strict=True):
                if one != two:
                    verdict.add("wrong", f"{what} {_shown(key)}: {name} is {two!r}, must be {one!r}")


def _shown(key: Row) -> str:
    return " ".join(map(str, key))


def _persons(told: Told, stored: Stored, verdict: Verdict) -> dict[str, str]:
    """Return the person of each subject, read off the scans themselves; one subject is one person."""
    subjects: dict[str, set[str]] = defaultdict(set)
    for subject, scan_id in told.first:
        subjects[scan_id].add(subject)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for person, scan_id, *_ in stored.scans:
        if len(subjects.get(scan_id, ())) == 1:
            (subject,) = subjects[scan_id]
            found[subject][person] += 1
    for result_id, row in stored.results.items():
        if result_id[0] in told.results:
            found[told.results[result_id[0]][0].subject][row[0]] += 1
    persons = {}
    for subject, some in found.items():
        persons[subject] = some.most_common(1)[0][0]
        if len(some) > 1:
            verdict.add("wrong", f"subject {subject}: has {len(some)} person ids")
    _by_what_they_sent(told, subjects, stored, persons)
    owners = Counter(persons.values())
    for person, number in owners.items():
        if number > 1:
            verdict.add("wrong", f"person {person}: is {number} subjects")
    return persons


def _by_what_they_sent(told: Told, subjects: Mapping[str, set[str]], stored: Stored, persons: dict[str, str]) -> None:
    """Add who is known only by a scan id that others have too: the one who sent just this under it."""
    known = set(persons.values())
    for (person, scan_id, *_), row in stored.scans.items():
        if person not in known:
            strangers = [subject for subject in subjects.get(scan_id, ()) if subject not in persons]
            same = [subject for subject in strangers if told.first[subject, scan_id] == row[:-1]]
            if same:
                persons[min(same)] = person
                known.add(person)


def _scans(told: Told, stored: Stored, persons: dict[str, str], verdict: Verdict) -> dict[Who, Sent]:
    """Compare the scans; return what stands, by (person, scan_id): what was promised, and what is there of the open."""
    must: dict[Row, Row] = {}
    standing: dict[Who, Sent] = {}
    for who, sent in told.first.items():
        how = told.how.get(who, STRENGTH[FAIL])
        key = persons.get(who[0], who[0]), who[1]
        if how == STRENGTH[OK] or (how == STRENGTH[UNKNOWN] and key in stored.scans):
            must[key] = (*sent, True)
            standing[key] = sent
        verdict.looked_at[{v: k for k, v in STRENGTH.items()}[how]] += 1
    join(verdict, "scan", (*Sent._fields, "entered_by"), must, stored.scans)
    return standing


def _decisions(told: Told, stored: Stored, verdict: Verdict) -> dict[str, dict[str, str]]:
    """Compare the decisions; return by person the verdict in force of each scan."""
    must: Rows = {}
    for decision, how in told.decisions.items():
        if how == STRENGTH[OK] or tuple(decision) in stored.decisions:
            must[tuple(decision)] = ()
    join(verdict, "decision", (), must, stored.decisions)
    said: dict[Who, list[tuple[int, str]]] = defaultdict(list)
    for row in must:
        one = Decision(*row)
        said[one.person, one.scan_id].append((one.serial, one.decision))
    verdicts: dict[str, dict[str, str]] = defaultdict(dict)
    for (person, scan_id), some in said.items():
        verdicts[person][scan_id] = oracle.latest_verdict(some)
    return verdicts


def _recomputed(
    standing: dict[Who, Sent],
    verdicts: dict[str, dict[str, str]],
    facilities: dict[str, oracle.Facility],
    partitions: int,
) -> tuple[list[oracle.Visit], Rows]:
    of_person: dict[str, list[oracle.Scan]] = defaultdict(list)
    for (person, scan_id), sent in standing.items():
        of_person[person].append(
            oracle.Scan(
                *(person, scan_id, facilities[sent.facility_id], sent.gate, sent.zone, sent.at),
                *(sent.admitted, sent.role, sent.channel),
            )
        )
    visits: list[oracle.Visit] = []
    shards: dict[int, defaultdict[tuple[str, int], oracle.Hour]] = {}
    for person, scans in of_person.items():
        shard = crc32(person.replace("-", "").encode()) % partitions
        mine = oracle.visits_of(scans, verdicts.get(person, {}))
        hours = shards.setdefault(shard, defaultdict(oracle.Hour))
        oracle.count_person(hours, mine, scans, verdicts.get(person, {}))
        visits += mine
    rows = {
        (facility, hour, shard): counts.row()
        for shard, hours in shards.items()
        for (facility, hour), counts in hours.items()
        if any(counts.row())
    }
    return visits, rows


def _before_late(
    told: Told,
    persons: Mapping[str, str],
    standing: Mapping[Who, Sent],
    visits: Sequence[oracle.Visit],
    recomputed: Callable[[dict[Who, Sent]], tuple[list[oracle.Visit], Rows]],
) -> Sequence[oracle.Visit]:
    """Return the visits as they were before the late scans came."""
    late = {(persons.get(subject, subject), scan_id) for subject, scan_id in told.late}
    theirs = {person for person, _ in late}
    before = {who: sent for who, sent in standing.items() if who[0] in theirs and who not in late}
    return [visit for visit in visits if visit.person not in theirs] + recomputed(before)[0] if late else visits


def _visit_rows(visits: Iterable[oracle.Visit]) -> Rows:
    rows: Rows = {}
    for visit in visits:
        stay = oracle.stay_class(visit.check_in, visit.check_out)
        rows[visit.person, visit.visit_id] = (
            *(visit.facility.facility_id, stay, visit.check_out - visit.check_in > oracle.DAY),
            *(visit.check_in, visit.check_out, visit.check_in_estimated, visit.check_out_estimated),
            *(visit.role, visit.zones),
        )
    return rows


def _positions(told: Told, stored: Stored, verdict: Verdict) -> None:
    """Every record of `scan.v1` is counted once, and those that cannot be used are kept."""
    mine = [row for (topic, _), row in stored.positions.items() if topic == "scan.v1"]
    verdict.looked_at["position"] += len(mine)
    read = sum(row[1] - row[0] for row in mine)
    low, high = told.records["scan.v1"], told.records["scan.v1"] + told.maybe["scan.v1"]
    if not low <= read <= high:
        verdict.add("wrong", f"positions: {read} records were read, between {low} and {high} were sent")
    applied, dead = sum(row[2] for row in mine), sum(row[4] for row in mine)
    if applied != len(stored.scans) + len(stored.decisions):
        verdict.add("wrong", f"positions: {applied} applied, {len(stored.scans) + len(stored.decisions)} are stored")
    for (topic, one), row in stored.positions.items():
        if row[1] - row[0] != sum(row[2:]):
            verdict.add(
                "wrong", f"positions: {topic}/{one} read {row[1] - row[0]} records, and {sum(row[2:])} are told"
            )
    for letter in sorted(told.poison - stored.dead):
        verdict.add("lost", f"dead letter {_shown(letter)}: is missing")
    least = told.contradicting[STRENGTH[OK]]
    most = least + told.contradicting[STRENGTH[UNKNOWN]] + told.poison_unknown
    others = len({letter for letter in stored.dead if letter[0] == "scan.v1"} - told.poison)
    if not least <= others <= most or dead != len({one for one in stored.dead if one[0] == "scan.v1"}):
        verdict.add("wrong", f"dead letters: {others} besides poison, {dead} counted; must be {least} to {most}")


def _traces(
    told: Told,
    stored: Stored,
    persons: dict[str, str],
    visits: tuple[Sequence[oracle.Visit], Sequence[oracle.Visit]],
    verdict: Verdict,
) -> None:
    must_results: Rows = {}
    positives: dict[str, Result] = {}
    for result_id, (result, how) in told.results.items():
        if how == STRENGTH[OK] or (how == STRENGTH[UNKNOWN] and (result_id,) in stored.results):
            person = persons.get(result.subject, result.subject)
            must_results[(result_id,)] = (person, result.lab_ref, result.result)
            if result.result == "positive":
                positives[person] = result
    join(verdict, "result", ("person", "lab_ref", "result"), must_results, stored.results)
    must_cases: Rows = {}
    for person, result in positives.items():
        specimen = oracle.local_day(result.specimen_at, oracle.LABORATORY_ZONE)
        must_cases[(person,)] = ("open", _day(result.date_onset), specimen, _day(result.date_isolation))
    found = {(person,): row[1:] for (person,), row in stored.cases.items()}
    join(verdict, "case", ("state", "date_onset", "date_specimen", "date_isolation"), must_cases, found)
    early, final = (_exposures(some, stored, must_cases) for some in visits)
    _contacts(stored, final, verdict)
    _alerts(stored, early, final, verdict)


def _exposures(visits: Iterable[oracle.Visit], stored: Stored, cases: Rows) -> dict[str, heard.Case]:
    by_facility: dict[str, list[oracle.Visit]] = defaultdict(list)
    by_person: dict[str, list[oracle.Visit]] = defaultdict(list)
    for visit in visits:
        by_facility[visit.facility.facility_id].append(visit)
        by_person[visit.person].append(visit)
    exposures: dict[str, heard.Case] = {}
    for (person, *_), row in stored.cases.items():
        if (person,) in cases:
            _, onset, specimen, isolation = cases[(person,)]
            case = oracle.Case(person, onset or specimen, isolation)
            exposures[row[0]] = oracle.exposures_of(case, by_person[person], by_facility)
    return exposures


def _contacts(stored: Stored, exposures: dict[str, list[oracle.Exposure]], verdict: Verdict) -> None:
    must = {
        (case_id, RULE, one.own.visit_id, one.other.visit_id): (
            *(one.own.person, one.other.person, one.own.facility.facility_id, one.zone, one.start, one.end),
            one.estimated,
        )
        for case_id, some in exposures.items()
        for one in some
    }
    columns = ("from", "to", "facility", "zone", "start", "end", "estimated")
    join(verdict, "exposure", columns, must, stored.exposures)
    must_candidates: Rows = {}
    for case_id, some in exposures.items():
        for person, met in heard.by_contact(some).items():
            best = heard.longest(met)
            must_candidates[case_id, RULE, met[0].own.person, person] = (
                *(best.own.facility.facility_id, best.zone, best.other.role, min(one.start for one in met)),
                *(max(one.end for one in met), sum(one.end - one.start for one in met), len(met)),
                any(one.estimated for one in met),
            )
    of_candidates = ("facility", "zone", "role", "first_start", "last_end", "overlap_us", "exposures", "estimated")
    join(verdict, "candidate", of_candidates, must_candidates, stored.candidates)


def _alerts(stored: Stored, early: Mapping[str, heard.Case], final: Mapping[str, heard.Case], verdict: Verdict) -> None:
    """Each office hears of its own candidates, the first fifty by rank one by one, each once; and of what changes."""
    found: Rows = {}
    said: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    seen: set[Row] = set()
    of_case: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for alert in stored.alerts:
        person = stored.names.get((alert["case_id"], alert["office"], alert["contact_ref"]), "?")
        key = alert["case_id"], alert["office"], alert["action"], person
        if (*key, alert["version"]) in seen:
            verdict.add("double", f"alert {_shown(key)}: is there twice")
        seen.add((*key, alert["version"]))
        if alert["version"] == 1:
            found[key] = alert["row"]
            if alert["action"] == "added":
                said[alert["case_id"]][alert["office"], person] = alert["row"][2][1]
        of_case[alert["case_id"]].append(alert | {"person": person})
        on_topic = None if stored.topic_alerts is None else stored.topic_alerts[alert["alert_id"]]
        if on_topic == 0:
            verdict.add("lost", f"alert {_shown(key)}: is not on the office's topic")
    must = {
        key: row
        for case_id, some in early.items()
        for key, row in heard.first_alerts(case_id, some, said[case_id]).items()
    }
    join(verdict, "alert", ("facility or candidates", "date or one by one", "bands"), must, found)
    verdict.looked_at["later alert"] = len(seen) - len(found)
    for case_id in sorted(final.keys() | of_case.keys()):
        for wrong in heard.heard_wrongly(early.get(case_id, []), final.get(case_id, []), of_case[case_id]):
            verdict.add("wrong", f"alert {case_id} {_shown(wrong[:2])}: {wrong[2]}")
    strangers = set(stored.topic_alerts or ()) - {alert["alert_id"] for alert in stored.alerts}
    for alert_id in sorted(strangers):
        verdict.add("wrong", f"alert {alert_id}: is on a topic and in no table")


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
