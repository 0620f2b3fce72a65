"""The type of options that say why: what somebody types there is stored in clear, in the audit and beside records."""

from typing import Any, Final

import click

from portal.nik import holds_nik

LONGEST: Final = 128


class Reason(click.ParamType):
    """Words that may be stored in clear; the refusal never repeats them."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 — click's signature
        """Return the words with single blanks between them."""
        text = " ".join(str(value).split())
        if not text and (value or (param is not None and param.required)):
            self.fail("is blank", param, ctx)
        if len(text) > LONGEST:
            self.fail(f"is longer than {LONGEST} characters", param, ctx)
        if not text.isprintable():
            self.fail("holds a control character", param, ctx)
        if holds_nik(text):
            self.fail("holds what could be a NIK: say it without", param, ctx)
        return text
