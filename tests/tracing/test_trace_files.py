"""`jejak trace` finds what the words of the contract say, whatever is asked and however the files are written."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replace_values

from tests.tracing import naive_trace as naive
from tests.tracing.naive_trace import Row
from tests.tracing.trace_cases import (
    Town,
    asked_of,
    contacts_in,
    exposures_in,
    likely_in,
    read_table,
    run,
    sources_in,
    towns,
)
from tracing.rulesets import Rule, rule_of

RULE_IDS = ["kmk-413-2020", "kmk-4641-2021", "cdc-2020", "who-2022", "cwa"]
CUSTOM = st.builds(
    lambda **values: rule_of("custom", **values),
    minutes=st.sampled_from([0, 1, 5, 15, 60]),
    count=st.sampled_from(["visit", "24h"]),
    tail_minutes=st.sampled_from([0, 7, 30, 1500]),
    days_before=st.integers(0, 4),
    days_after=st.integers(0, 6),
    ends_at_isolation=st.booleans(),
    latent_hours=st.sampled_from([0, 0, 6, 48]),
    contact_days=st.sampled_from([0, 1, 14]),
)
NAMED = st.builds(rule_of, st.sampled_from(RULE_IDS), latent_hours=st.sampled_from([0, 6, 48, None]))
RULES = NAMED | CUSTOM


@contextmanager
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=120, deadline=None)
@given(towns(), RULES, st.sampled_from([1, 2]))
def test_contacts_and_exposures_are_those_of_the_words(town: Town, rule: Rule, degrees: int) -> None:
    with folder() as here:
        out = run(here, town, rule, degrees=degrees)
        asked = asked_of(rule, town.zone, degrees)
        contacts, exposures = naive.forward(list(town.visits), list(town.cases), asked, likely_in(out))
        event(f"degree {max((row.degree for row in contacts), default=0)}")
        assert contacts_in(out) == contacts
        assert exposures_in(out) == exposures
        assert read_table(out / "sources.csv") == []


@settings(max_examples=80, deadline=None)
@given(towns(), RULES)
def test_sources_are_those_of_the_words_in_their_order(town: Town, rule: Rule) -> None:
    with folder() as here:
        out = run(here, town, rule, direction="backward")
        likely = likely_in(out, "sources.csv")
        sources = naive.backward(list(town.visits), list(town.cases), asked_of(rule, town.zone, 1), likely)
        event(f"sources for a case {len(sources) // len(town.cases)}")
        assert sources_in(out) == sources
        assert read_table(out / "contacts.csv") == []


@settings(max_examples=30, deadline=None)
@given(towns(), RULES)
def test_both_directions_together_say_what_each_says_alone(town: Town, rule: Rule) -> None:
    with folder() as one, folder() as two, folder() as three:
        both = run(one, town, rule, direction="both", degrees=2)
        ahead, back = run(two, town, rule, degrees=2), run(three, town, rule, direction="backward")
        for name in ("contacts.csv", "exposures.csv", "linelist.csv", "graph.graphml", "graph.gexf"):
            assert (both / name).read_bytes() == (ahead / name).read_bytes()
        for name in ("sources.csv", "source_exposures.csv"):
            assert (both / name).read_bytes() == (back / name).read_bytes()


@settings(max_examples=30, deadline=None)
@given(towns(), RULES, st.integers())
def test_the_order_of_the_rows_does_not_matter(town: Town, rule: Rule, seed: int) -> None:
    shuffled = replace(town, visits=_shuffled(town.visits, seed), cases=_shuffled(town.cases, seed))
    with folder() as one, folder() as two:
        first = run(one, town, rule, degrees=2, direction="both")
        second = run(two, shuffled, rule, degrees=2, direction="both")
        for file in sorted(first.glob("*.csv")):
            assert file.read_bytes() == (second / file.name).read_bytes()


@settings(max_examples=30, deadline=None)
@given(towns(), CUSTOM, st.sampled_from(["minutes", "tail", "before", "after", "isolation"]))
def test_a_wider_rule_never_loses_a_contact(town: Town, rule: Rule, what: str) -> None:
    wider = {
        "minutes": replace_values(rule, minutes=rule.minutes // 2),
        "tail": replace_values(rule, tail_minutes=rule.tail_minutes + 10),
        "before": replace_values(rule, days_before=rule.days_before + 1),
        "after": replace_values(rule, days_after=rule.days_after + 1),
        "isolation": replace_values(rule, ends_at_isolation=False),
    }[what]
    if what in ("after", "isolation"):  # a visit that ends later in the window has its tail there, not before
        rule, wider = (replace_values(one, tail_minutes=0) for one in (rule, wider))
    with folder() as one, folder() as two:
        narrow, wide = (
            {(row.case_id, row.person) for row in contacts_in(run(here, town, each))}
            for here, each in ((one, rule), (two, wider))
        )
    assert narrow <= wide


@settings(max_examples=30, deadline=None)
@given(towns(), RULES)
def test_cases_traced_together_equal_each_traced_alone(town: Town, rule: Rule) -> None:
    alone = []
    for case in sorted(town.cases, key=lambda row: row["case_id"]):
        with folder() as here:
            alone += contacts_in(run(here, replace(town, cases=(case,)), rule, degrees=2))
    with folder() as here:
        assert contacts_in(run(here, town, rule, degrees=2)) == alone


def test_the_ten_published_intervals_of_the_corona_warn_app_are_what_others_can_meet(tmp_path: Path) -> None:
    vectors = json.loads((Path(__file__).parent / "data" / "cwa_derive_time.json").read_text())["vectors"]
    assert len(vectors) == 10
    for number, vector in enumerate(vectors):
        day = vector["check_in"][:10]
        visits = (
            _visit("case", "A", vector["check_in"], vector["check_out"]),
            _visit("other", "B", f"{day}T00:00:00Z", "2100-01-01T00:00:00Z"),
        )
        case = {"case_id": "K", "person_id": "A", "date_onset": day, "date_specimen": "", "date_isolation": ""}
        here = tmp_path / str(number)
        here.mkdir()
        out = run(here, Town("UTC", visits, (case,)), rule_of("cwa"))
        found = [tuple(datetime.fromisoformat(at) for at in row[6:]) for row in exposures_in(out)]
        assert found == [
            (datetime.fromisoformat(vector["expected_start"]), datetime.fromisoformat(vector["expected_end"]))
            for start in [vector["expected_start"]]
            if start  # none: the stay is dropped
        ]


def _visit(visit_id: str, person: str, check_in: str, check_out: str) -> Row:
    return {
        "visit_id": visit_id,
        "person_id": person,
        "facility_id": "F",
        "zone": "",
        "check_in": check_in,
        "check_out": check_out,
    }


def _shuffled(rows: tuple[Row, ...], seed: int) -> tuple[Row, ...]:
    return tuple(random.Random(seed).sample(rows, len(rows)))
