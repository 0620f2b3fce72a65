"""Puts facilities into the register for commands that bring their own: the town and the demonstration."""

from pathlib import Path
from tempfile import TemporaryDirectory

from ops.store import OPERATOR, transaction
from portal.facility_file import put_all, read_facilities
from producers.town.files import write_facilities
from producers.town.people import Town
from schemas.settings import Settings


def register_file(settings: Settings, path: Path) -> int:
    """Store all facilities of a CSV file; return how many."""
    rows = read_facilities(path)
    with transaction(settings, OPERATOR) as conn:
        put_all(conn, rows)
    return len(rows)


def register_town(settings: Settings, town: Town) -> int:
    """Store all facilities of a town, as its file would have brought them; return how many."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "facilities.csv"
        write_facilities(path, town)
        return register_file(settings, path)
