"""Scans of one person for laws: gaps sit on and just beside every bound of the pairing rules."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tracing.instants import us_of
from tracing.records import SeenScan
from tracing.stays import DEFAULT_RULES, StayRule, Stays

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
FACILITIES = {  # facility: kind, time zone
    "R": ("hospital", "Asia/Jakarta"),
    "P": ("puskesmas", "Asia/Jayapura"),
    "K": ("clinic", "Australia/Lord_Howe"),  # moves its clock by half an hour
    "L": ("laboratory", "Asia/Kathmandu"),  # 5 h 45 min east
    "B": ("clinic", "Europe/Berlin"),
}
SPRING = us_of(datetime(2021, 3, 27, 20, 3, tzinfo=UTC))  # Berlin's clock goes forward that night
AUTUMN = us_of(datetime(2021, 4, 3, 13, 40, tzinfo=UTC))  # Lord Howe's goes back within hours
GAPS = [0, 3, 5, 10, 10, 10, 17, 30, 60, 120, 240, 287]  # minutes; a passage scanned twice is frequent
SHORT_STAYS = Stays(
    [StayRule(rule.valid_from, rule.kind, rule.assumed_us, min(rule.max_us, DAY + DAY // 2)) for rule in DEFAULT_RULES]
)
DATED_STAYS = Stays(
    [
        *DEFAULT_RULES,
        *(StayRule(SPRING + 2 * 60 * MINUTE, kind, 10 * MINUTE, 60 * MINUTE) for kind in ("hospital", "clinic")),
    ]
)


def at(clock: str, *, day: int = 1, offset: int = 7) -> int:
    """Return 1 July 2021 (or another day of it) at that time of Jakarta's clock."""
    hour, minute = clock.split(":")
    return us_of(
        datetime(2021, 7, day, int(hour), tzinfo=UTC) - timedelta(hours=offset) + timedelta(minutes=float(minute))
    )


@st.composite
def gaps(draw: st.DrawFn) -> int:
    """Draw the time between two scans of a person, often a bound of some rule or one microsecond beside it."""
    bound = draw(st.sampled_from(GAPS)) * MINUTE
    if draw(st.integers(0, 19)) == 0:
        bound = draw(st.sampled_from([DAY, 30 * DAY, DAY + DAY // 2]))
    return max(0, bound + draw(st.sampled_from([0, 0, 0, 0, 1, -1, 1_234_567])))


@st.composite
def scans_of_one_person(draw: st.DrawFn, person: str = "p", size_max: int = 14) -> list[SeenScan]:
    """Draw the standing scans of one person in no order."""
    size = draw(st.integers(0, size_max))
    ids = draw(st.lists(st.text("aAzZ017é-", min_size=1, max_size=3), min_size=size, max_size=size, unique=True))
    clock = draw(st.sampled_from([SPRING, AUTUMN]))
    names = draw(st.lists(st.sampled_from(sorted(FACILITIES)), min_size=1, max_size=2))
    scans = []
    for scan_id in ids:
        clock += draw(gaps())
        facility = draw(st.sampled_from(names))
        kind, time_zone = FACILITIES[facility]
        scans.append(
            SeenScan(
                scan_id,
                person,
                facility,
                kind,
                time_zone,
                draw(st.sampled_from(["entrance", "exit", "zone"])),
                draw(st.sampled_from(["", "", "ward"])),
                clock,
                draw(st.sampled_from([True] * 9 + [False])),
                draw(st.sampled_from(["unknown", "unknown", "staff", "inpatient"])),
                draw(st.sampled_from(["app", "officer"])),
                draw(st.sampled_from([None] * 9 + ["clear", "flag", "void"])),
            )
        )
    return draw(st.permutations(scans))
