"""The days of stay at onset that tell hospital from community, as a trace of files uses them: dated data. Pure."""

from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

from tracing.cases.onset import OnsetBounds


class Days(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first day of each class, and where that comes from."""

    valid_from: date
    source: str
    indeterminate: int
    probable: int
    definite: int

    @property
    def bounds(self) -> OnsetBounds:
        """As the decision wants them."""
        return OnsetBounds(definite=self.definite, probable=self.probable, indeterminate=self.indeterminate)


@cache
def days() -> Days:
    """Return the days in force."""
    return msgspec.toml.decode(files("tracing.report").joinpath("hospital_onset.toml").read_bytes(), type=Days)
