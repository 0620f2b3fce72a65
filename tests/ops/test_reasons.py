"""What somebody types to say why is stored in clear: no command of the operator takes a NIK there."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from ops.cli import cli
from ops.commands.privacy import privacy
from ops.commands.vault import vault
from ops.reasons import Reason
from schemas.settings import Settings

NIK = "3671015508900001"
BY_THE_GATE = {"approve", "decide", "ack"}  # they only send the words: the gate looks at them
IN_A_FILE = {"trace"}  # whoever writes his own file


def options(command: click.Command, name: str) -> Iterator[tuple[str, click.Parameter]]:
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                assert found is not None
                yield from options(found, f"{name} {each}".strip())
        return
    yield from ((name, one) for one in command.params if "--reason" in one.opts)


def test_every_reason_that_a_command_stores_is_looked_at() -> None:
    found = dict(options(cli, ""))
    assert {"privacy export", "privacy erase", "vault join", "vault unjoin", "dead show"} <= found.keys()
    plain = {name for name, one in found.items() if not isinstance(one.type, Reason)}
    assert plain == BY_THE_GATE | IN_A_FILE


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (f"letter 12 of {NIK}", "could be a NIK"),
        (f"NIK {NIK[:6]} {NIK[6:12]}-{NIK[12:]}", "could be a NIK"),
        ("", "is blank"),
        (" \t", "is blank"),
        ("x" * 129, "longer than 128"),
        ("bell \a", "control character"),
    ],
)
def test_a_reason_that_must_not_be_stored_is_refused_and_not_repeated(reason: str, says: str) -> None:
    for command, word in ((privacy, "export"), (privacy, "erase"), (vault, "join"), (vault, "unjoin")):
        answer = CliRunner().invoke(command, [word, "--reason", reason], obj=Settings(), input=f"nik {NIK}\n")
        assert answer.exit_code == 2
        assert says in answer.stderr
        assert NIK not in answer.output


def test_blanks_between_words_are_one() -> None:
    assert Reason()("  letter\n 12 ") == "letter 12"
    assert Reason()("") == ""
