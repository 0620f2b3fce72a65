"""The demonstration's API keys: random, for seven days, marked as demo keys, in files that only the owner reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from ops.secrets import write_private
from ops.store import OPERATOR, transaction
from portal.keys import make_key
from schemas.settings import Settings

DAYS: Final = 7


class Holder(NamedTuple):
    """Whose key it is, and what it may do."""

    role: str
    principal: str
    facility: str = ""
    area: str = ""


def make_demo_keys(settings: Settings, holders: Mapping[str, Holder]) -> dict[str, Path]:
    """Make one key per holder; return the files they are in, by the holders' names."""
    files = {}
    with transaction(settings, OPERATOR) as conn:
        for name, holder in holders.items():
            secret, _ = make_key(
                conn,
                role=holder.role,
                principal=holder.principal,
                facility=holder.facility,
                area=holder.area,
                days=DAYS,
                demo=True,
            )
            files[name] = settings.secret_file("keys", name)
            files[name].parent.mkdir(mode=0o700, exist_ok=True)
            write_private(files[name], secret)
    return files
