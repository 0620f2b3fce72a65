"""`jejak trace` says of each contact how likely he was close, ranks by it, and never by the infection risk."""

from dataclasses import asdict
from datetime import UTC, datetime
from math import exp, log
from pathlib import Path

import msgspec
from hypothesis import given, settings

from tests.tracing import naive_ranking
from tests.tracing.naive_ranking import Visit
from tests.tracing.naive_trace import stays_of
from tests.tracing.test_trace_files import folder
from tests.tracing.test_trace_files_output import case, visit
from tests.tracing.trace_cases import Town, read_table, run, towns
from tracing.ranking.model import shipped_model
from tracing.rulesets import rule_of


def naive_probability(town: Town, exposures: list[dict[str, str]]) -> float:
    """Return what the card of the model says of a contact with these exposures."""
    visits = {
        stay.visit: Visit(stay.person, stay.facility, stay.zone, stay.start, stay.end, stay.recorded)
        for stay in stays_of(list(town.visits))
    }
    met = [(visits[row["from_visit_id"]], visits[row["to_visit_id"]]) for row in exposures]
    spans = [(_utc(row["start"]), _utc(row["end"])) for row in exposures]
    got = asdict(naive_ranking.shape(met, list(visits.values()), town.zone, spans))
    model = shipped_model()
    got |= {"share": log(max(got["share"], 0.01)), "days": log(got["days"]), "crowd": log(got["crowd"] / 100)}
    odds = sum(weight * got[name] for name, weight in msgspec.structs.asdict(model.weights).items())
    return 1 / (1 + exp(-model.intercept - odds))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@settings(max_examples=40, deadline=None)
@given(towns())
def test_the_probability_of_a_contact_is_what_the_card_of_the_model_says(town: Town) -> None:
    with folder() as here:
        out = run(here, town, rule_of("custom", minutes=1, tail_minutes=0, latent_hours=0), degrees=2)
        exposures = read_table(out / "exposures.csv")
        for row in read_table(out / "contacts.csv"):
            own = [one for one in exposures if all(one[name] == row[name] for name in ("case_id", "from", "to"))]
            assert abs(float(row["probability"]) - naive_probability(town, own)) < 1e-6


def test_who_came_and_left_with_the_case_ranks_before_who_stayed_longer(tmp_path: Path) -> None:
    visits = [
        visit("1", "A", "03 08:00", "03 10:00", zone="ward"),
        visit("2", "companion", "03 08:05", "03 10:02", zone="ward"),
        visit("3", "guard", "03 06:00", "03 22:00", zone="gate"),
        *(visit(f"x{n}", f"x{n}", f"03 0{n % 10}:3{n % 6}", f"03 1{n % 10}:30") for n in range(30)),
    ]
    out = run(tmp_path, Town("Asia/Jakarta", tuple(visits), (case("K", "A", onset="04"),)), rule_of())
    rows = {row["to"]: row for row in read_table(out / "contacts.csv")}
    assert float(rows["companion"]["overlap_minutes"]) < float(rows["guard"]["overlap_minutes"])
    assert int(rows["companion"]["rank"]) == 1 < int(rows["guard"]["rank"])
    reason = "same zone; arrived and left within minutes of each other; together for most of both stays"
    assert reason in rows["companion"]["reason"]
    assert "different zones" in rows["guard"]["reason"]


def test_infection_risk_is_there_for_the_first_degree_only_and_does_not_rank(tmp_path: Path) -> None:
    visits = [
        visit("1", "A", "03 08:00", "03 09:00"),
        visit("2", "early", "03 08:00", "03 09:00"),
        visit("3", "A", "12 08:00", "12 16:00", "G"),
        visit("4", "late", "12 08:00", "12 16:00", "G"),
        visit("5", "early", "06 08:00", "06 09:00", "H"),
        visit("6", "second", "06 08:00", "06 09:00", "H"),
    ]
    out = run(tmp_path, Town("Asia/Jakarta", tuple(visits), (case("K", "A", onset="03"),)), rule_of(), degrees=2)
    rows = {row["to"]: row for row in read_table(out / "contacts.csv")}
    assert list(rows["early"])[-1] == "infection_risk"
    assert (rows["late"]["rank"], rows["early"]["rank"]) == ("1", "2")  # by minutes: both are as close as can be
    assert 0 < float(rows["late"]["infection_risk"]) < float(rows["early"]["infection_risk"]) < 0.02
    assert rows["second"]["infection_risk"] == ""
