"""Two ids of one human are joined and parted by two people each time, and nothing of it is ever rewritten."""

from collections.abc import Callable

import psycopg2
import pytest
from click.testing import CliRunner, Result

from ops.commands.vault import vault
from ops.store import OPERATOR, OWNER, transaction
from portal.identity import Subject, open_vault
from portal.joins.store import every
from schemas.errors import Conflict, NotFound
from schemas.settings import Settings


@pytest.fixture
def settings(fresh_database: Callable[[], Settings]) -> Settings:
    settings = fresh_database()
    with transaction(settings, "jejak_gate") as conn:
        open_vault(conn, settings).person_ids(conn, [Subject("temporary", f"BED {n}") for n in range(3)])
    return settings


def ask(settings: Settings, who: str, *options: str, beds: tuple[int, ...] = ()) -> Result:
    words = "".join(f"temporary bed {bed}\n" for bed in beds)
    environment = {"LOGNAME": who, "USER": who}
    return CliRunner().invoke(vault, list(options), obj=settings, input=words, env=environment)


def states(settings: Settings) -> list[str]:
    with transaction(settings, OPERATOR) as conn:
        return [one.state for one in every(conn)]


def held(settings: Settings) -> int:
    with transaction(settings, "jejak_traces") as conn, conn.cursor() as cursor:
        cursor.execute("select count(*) from same_human")
        return int((cursor.fetchone() or (0,))[0])


def test_it_takes_two_people_to_join_and_two_to_undo_it(settings: Settings) -> None:
    assert ask(settings, "ani", "join", "--reason", "one human", beds=(0, 1)).exit_code == 0
    assert (states(settings), held(settings)) == (["asked"], 0)
    assert "second person" in str(ask(settings, "ani", "approve", "1").exception)
    assert ask(settings, "budi", "approve", "1").stdout == "join 1: joined\n"
    assert (states(settings), held(settings)) == (["joined"], 2)
    assert ask(settings, "ani", "unjoin", "--reason", "two brothers", beds=(1, 0)).stdout == "join 1: undo asked\n"
    assert held(settings) == 2
    assert isinstance(ask(settings, "ani", "approve", "1").exception, Conflict)
    assert ask(settings, "citra", "approve", "1").stdout == "join 1: undone\n"
    assert (states(settings), held(settings)) == (["undone"], 0)
    assert isinstance(ask(settings, "dewi", "approve", "1").exception, Conflict)
    assert ask(settings, "dewi", "join", "--reason", "after all", beds=(0, 1)).exit_code == 0
    assert states(settings) == ["undone", "asked"]
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cursor:
        cursor.execute("select principal, action, object from audit where object like 'join %' order by id")
        assert cursor.fetchall() == [
            ("ani", "join asked for", "join 1"),
            ("budi", "ids joined", "join 1"),
            ("ani", "undoing a join asked for", "join 1"),
            ("citra", "join undone", "join 1"),
            ("dewi", "join asked for", "join 2"),
        ]
    assert "BED" not in ask(settings, "ani", "joins").stdout.upper()


def test_what_nobody_approved_is_taken_back_by_one(settings: Settings) -> None:
    ask(settings, "ani", "join", "--reason", "one human", beds=(0, 1))
    assert ask(settings, "ani", "unjoin", "--reason", "a mistake", beds=(0, 1)).stdout == "join 1: undone\n"
    assert isinstance(ask(settings, "budi", "approve", "1").exception, Conflict)


def test_what_cannot_be_joined_is_refused(settings: Settings) -> None:
    ask(settings, "ani", "join", "--reason", "one human", beds=(0, 1))
    assert isinstance(ask(settings, "budi", "join", "--reason", "too", beds=(1, 0)).exception, Conflict)
    assert isinstance(ask(settings, "ani", "join", "--reason", "same", beds=(2, 2)).exception, Conflict)
    assert isinstance(ask(settings, "ani", "join", "--reason", "nobody", beds=(0, 9)).exception, NotFound)
    assert isinstance(ask(settings, "ani", "unjoin", "--reason", "never was", beds=(0, 2)).exception, NotFound)
    assert isinstance(ask(settings, "ani", "approve", "7").exception, NotFound)
    assert states(settings) == ["asked"]


@pytest.mark.parametrize(
    "change",
    [
        *("approved_by = 'eko'", "reason = 'other'", "undone_at = null, undone_by = null", "person_a = person_b"),
        *("approved_by = null, approved_at = null", "undo_reason = 'other'"),
    ],
)
def test_a_record_is_never_rewritten(settings: Settings, change: str) -> None:
    ask(settings, "ani", "join", "--reason", "one human", beds=(0, 1))
    ask(settings, "budi", "approve", "1")
    ask(settings, "ani", "unjoin", "--reason", "two brothers", beds=(0, 1))
    ask(settings, "budi", "approve", "1")
    with pytest.raises(psycopg2.errors.CheckViolation), transaction(settings, OWNER) as conn:
        conn.cursor().execute(f"update person_join set {change}")  # noqa: S608 — ours
