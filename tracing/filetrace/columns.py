"""The columns of a package's tables, and what stands in them for whom: a stored trace's package has the same."""

from typing import Final

LINE_COLUMNS: Final = (
    "id",
    "case_id",
    "classification",
    "date_onset",
    "date_specimen",
    "infectious_from",
    "infectious_to",
    "degree",
    "date_isolation",
)
CASE: Final = "case"
CANDIDATE: Final = "candidate"
MEETING_COLUMNS: Final = (
    "facility_id",
    "zone",
    "first_overlap_start",
    "last_overlap_end",
    "overlap_minutes",
    "overlaps",
    "days_from_onset",
    "probability",
)
CONTACT_COLUMNS: Final = (
    *("from", "to", "case_id", "degree"),
    *MEETING_COLUMNS,
    *("rank", "estimated", "rule", "reason"),
    "infection_risk",  # beyond the contract's; never in the rank
)
SOURCE_COLUMNS: Final = (
    "case_id",
    "from",
    "to",
    "plausible",
    "rank",
    "source_case_id",
    *MEETING_COLUMNS,
    "estimated",
    "rule",
    "reason",
)
EXPOSURE_COLUMNS: Final = ("case_id", "from_visit_id", "to_visit_id", "from", "to", "degree", "start", "end")
