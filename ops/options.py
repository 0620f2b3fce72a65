"""Types of options that several commands have."""

from math import isfinite

import click


class Number(click.FloatRange):
    """A number within bounds; click's own takes `nan`, which is within any, and `inf`: a run that never ends."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number.

        Raises:
            click.BadParameter: it is none, or outside of the bounds.
        """
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number
