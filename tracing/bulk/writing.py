"""What `jejak bulk` writes: contacts.csv and exposures.csv of a day, or the pairs of a week as Parquet.

The rows come through the driver one partition after the other; the pairs are written by the workers themselves.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

from schemas.errors import BadInput
from tracing.bulk.day import Answer
from tracing.exports import check_folder, safe_cell, whole_folder, write_csv
from tracing.filetrace.columns import EXPOSURE_COLUMNS
from tracing.instants import text_of
from tracing.pair import person_minutes
from tracing.windows import local_day

CONTACT_COLUMNS: Final = (
    *("from", "to", "case_id", "degree", "facility_id", "first_overlap_start", "last_overlap_end", "overlap_minutes"),
    *("overlaps", "days_from_onset", "estimated", "rule"),
)


def write_day(out: Path, answer: Answer, rule_id: str) -> tuple[int, int]:
    """Write contacts.csv and exposures.csv, both or neither; return how many rows each has."""
    with whole_folder(out) as folder:
        contacts = write_csv(folder / "contacts.csv", CONTACT_COLUMNS, _contact_rows(answer.contacts, rule_id))
        exposures = write_csv(folder / "exposures.csv", EXPOSURE_COLUMNS, _exposure_rows(answer.exposures))
    return contacts, exposures


def check_pairs_folder(out: str) -> None:
    """Raise BadInput if the pairs of a week cannot be written there, as far as that can be seen from here."""
    if "://" in out:
        return
    check_folder(Path(out))
    if Path(out).is_dir() and any(Path(out).iterdir()):
        raise BadInput("is not empty: pairs of two runs are not to be mixed", field="--out")


def write_pairs(out: str, pairs: Any) -> int:  # noqa: ANN401 — Spark's frames
    """Write a frame as Parquet, whole or not at all where the folder is of this machine; return its rows."""
    if "://" in out:
        pairs.write.parquet(out)
    else:
        with whole_folder(Path(out)) as folder:
            pairs.write.mode("append").parquet(folder.absolute().as_uri())
    return int(pairs.sparkSession.read.parquet(out if "://" in out else Path(out).absolute().as_uri()).count())


def _contact_rows(contacts: Any, rule_id: str) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 — Spark's frames
    for row in contacts.toLocalIterator(prefetchPartitions=True):
        zone = row.longest.time_zone
        days = (local_day(row.longest.start, zone) - date.fromisoformat(row.day_zero)).days
        yield (
            safe_cell(row["from"]),
            safe_cell(row.to),
            safe_cell(row.case_id),
            "1",
            safe_cell(row.longest.facility_id),
            text_of(row.first_start, zone),
            text_of(row.last_end, zone),
            person_minutes(row.overlap_us),
            str(row.overlaps),
            str(days),
            "true" if row.estimated else "false",
            rule_id,
        )


def _exposure_rows(exposures: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 — Spark's frames
    for row in exposures.toLocalIterator(prefetchPartitions=True):
        yield (
            safe_cell(row.case_id),
            safe_cell(row.from_visit),
            safe_cell(row.to_visit),
            safe_cell(row["from"]),
            safe_cell(row.to),
            "1",
            text_of(row.start, row.time_zone),
            text_of(row.end, row.time_zone),
        )
