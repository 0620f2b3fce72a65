"""Seeds, one after the other, on servers that run: two new databases, empty topics, and the comparison at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import msgspec

from ops.audit.findings import Difference, Findings
from ops.audit.run import audit
from ops.chaos.points.seed import Seed
from ops.chaos.points.side import Side
from ops.chaos.points.store import add_places, differences
from ops.migrate import migrate
from ops.secrets import ensure_secret
from ops.store import drop_database, fix_partitions, make_database
from ops.topics import admin_client, empty_topics
from schemas.settings import Settings

AUDIT_WAIT_S: Final = 15.0
TEMPLATE: Final = "points_template"


class Verdict(msgspec.Struct):
    """What came of the seeds."""

    seeds: int = 0
    deaths: list[str] = []
    differences: list[str] = []


def prepare(settings: Settings) -> None:
    """Make the database that the seeds' own are copies of."""
    address = settings.database.rpartition("/")[0]
    make_database(settings, TEMPLATE)
    template = msgspec.structs.replace(settings, database=f"{address}/{TEMPLATE}")
    migrate(template)
    fix_partitions(template)
    add_places(template)
    ensure_secret(settings, "seal", "dead-letters")


def run_seed(settings: Settings, number: int, today: datetime, statements: int, verdict: Verdict) -> None:
    """Run a seed and add what came of it; `settings` lead to servers with topics, and are nobody else's meanwhile."""
    empty_topics(settings)
    with admin_client(settings) as admin:
        cluster = str(admin.describe_cluster()["cluster_id"])
    with _database(settings, f"calm_{number}") as calm, _database(settings, f"dying_{number}") as dying:
        seed = Seed(number, Side(calm, "in memory"), Side(dying, cluster), today)
        seed.run(statements)
        verdict.seeds += 1
        verdict.deaths += seed.deaths
        found = [*differences(calm, dying), *_audited(dying)]
        verdict.differences += [f"seed {number}: {line}" for line in found]


@contextmanager
def _database(settings: Settings, name: str) -> Iterator[Settings]:
    make_database(settings, name, template=TEMPLATE)
    try:
        yield msgspec.structs.replace(settings, database=f"{settings.database.rpartition('/')[0]}/{name}")
    finally:
        drop_database(settings, name)


def _audited(settings: Settings) -> list[str]:
    found: list[str] = []

    def tell(one: Difference) -> None:
        found.append(f"audit: {one.check}: {one.row}: {one.what}")

    say: Callable[[str], None] = lambda _: None  # noqa: E731 — nobody listens
    audit(settings, Findings(tell=tell), wait_s=AUDIT_WAIT_S, say=say)
    return found
