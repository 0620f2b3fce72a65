"""Where the presence data that ships with us lies: real stays of 712 people, CC0, see its README."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "data" / "presence"
VISITS: Final = FOLDER / "visits.csv"
FACILITIES: Final = FOLDER / "facilities.csv"
TRUE_CONTACTS: Final = FOLDER / "true_contacts.csv"
