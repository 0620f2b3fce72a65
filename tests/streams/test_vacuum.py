"""The live week is vacuumed while it is written: a trace's look-up reads the index, and seldom the rows behind it."""

from random import Random

from tests.commands import wait_until
from tests.streams.conftest import Fold
from tests.streams.flow import ask, town

PAGES = "select relallvisible, relpages from pg_class where relname = 'visit_2026w10'"


def test_a_week_that_was_just_written_is_vacuumed_within_a_minute_and_a_half(fold: Fold, random: Random) -> None:
    fold.fold(*town(random, 3_000))
    assert ask(fold.settings, "select count(*) > 3000 from visit") == [(True,)]

    def is_visible() -> bool:
        ((visible, pages),) = ask(fold.settings, PAGES)
        return bool(pages) and bool(visible > 0.9 * pages)

    wait_until(is_visible, timeout_s=90)
