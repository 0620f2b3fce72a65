"""`jejak rank`: weights from measured places as a file, and how well they rank a place left out, as tables."""

import csv
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from click.testing import CliRunner, Result

from ops.cli import cli
from schemas.errors import BadInput
from tracing.ranking.model import Model, shipped_model

PLACES = ("Bekasi", "Depok", "Bogor")
DAY = datetime.fromisoformat("2021-11-01T08:00:00+07:00")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Write three places where pairs come and go together and are close, and others are not."""
    random, folder = Random(7), tmp_path_factory.mktemp("measured")
    visits, contacts = [], []
    for place in PLACES:
        for day in range(2):
            begin = DAY + timedelta(days=day)
            for pair in range(8):
                came = begin + timedelta(minutes=random.randrange(240))
                left = came + timedelta(minutes=random.randrange(60, 300))
                for side in range(2):
                    who = f"{place}-{pair}-{side}"
                    visits.append((f"{who}-{day}", who, place, "", came.isoformat(), left.isoformat()))
                contacts.append((place, begin.date(), f"{place}-{pair}-0", f"{place}-{pair}-1", 1200))
    header = ("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out")
    files: dict[str, list[tuple[object, ...]]] = {
        "visits.csv": [header, *visits],
        "contacts.csv": [("facility_id", "day", "person_a", "person_b", "seconds"), *contacts],
    }
    for name, rows in files.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return str(folder / "visits.csv"), str(folder / "contacts.csv")


def rank(measured: tuple[str, str], *words: str) -> Result:
    visits, contacts = measured
    done = CliRunner().invoke(cli, ["rank", words[0], "--visits", visits, "--contacts", contacts, *words[1:]])
    assert done.exit_code == 0, done.output
    return done


def test_the_same_data_give_the_same_bytes_and_a_model_that_can_be_read(
    measured: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "model.toml"
    named = ("--id", "ours-1", "--valid-from", "2027-01-31", "--source", "our own places")
    rank(measured, "train", *named, "--out", str(out))
    assert rank(measured, "train", *named).stdout == out.read_text(encoding="utf-8")
    model = msgspec.toml.decode(out.read_bytes(), type=Model)
    assert (model.id, model.valid_from, model.source) == ("ours-1", date(2027, 1, 31), "our own places")
    assert model.weights.arrival + model.weights.leaving > 0
    assert model.weights.same_zone == 0  # these places say no zone
    assert model != shipped_model()


def test_each_place_is_measured_by_a_model_of_the_others(measured: tuple[str, str]) -> None:
    rows = msgspec.json.decode(rank(measured, "evaluate", "--json").stdout)
    assert [(row["place"], row["zones"], row["close"]) for row in rows] == [
        (place, True, 8) for place in sorted(PLACES)
    ]
    for row in rows:
        assert row["precision"] > row["hand_made"]["minutes together"]
        assert row["interval"][0] <= row["precision"] <= row["interval"][1] + 0.1
    lines = rank(measured, "evaluate").stdout.splitlines()
    assert lines[0].startswith("| place, never seen | pairs | close |")
    assert [line.split(" | ")[0] for line in lines[2:5]] == [f"| {place}" for place in sorted(PLACES)]


def test_a_row_that_cannot_be_used_is_named_and_nothing_is_learnt(tmp_path: Path) -> None:
    wrong = tmp_path / "visits.csv"
    wrong.write_text("visit_id,person_id,facility_id,zone,check_in,check_out\nv,p,F,,yesterday,\n", encoding="utf-8")
    out = tmp_path / "model.toml"
    with pytest.raises(BadInput, match="line 2, field check_in"):
        CliRunner().invoke(cli, ["rank", "train", "--visits", str(wrong), "--out", str(out)], catch_exceptions=False)
    assert not out.exists()


def test_one_place_alone_cannot_be_measured(measured: tuple[str, str], tmp_path: Path) -> None:
    lines = Path(measured[0]).read_text(encoding="utf-8").splitlines()
    alone = tmp_path / "visits.csv"
    alone.write_text("\n".join([lines[0], *(line for line in lines if "Depok" in line)]), encoding="utf-8")
    command = ["rank", "evaluate", "--visits", str(alone), "--contacts", measured[1]]
    with pytest.raises(BadInput, match="facility_id"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
