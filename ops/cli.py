"""The `jejak` command: reads the settings, runs one command, prints one answer.

A JejakError becomes one line on stderr and exit 2; anything else is a bug and shows its traceback.
"""

import os
import sys
from importlib import import_module
from pkgutil import iter_modules

import click

import ops.commands
from schemas.errors import JejakError, StopWorker
from schemas.settings import load_settings
from schemas.version import VERSION

INTERRUPTED = 130


class Commands(click.Group):
    """Finds a command by its file in `ops/commands`, and imports only that one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 — click's signature
        """Return the commands' names: their file names with dashes."""
        return sorted(module.name.replace("_", "-") for module in iter_modules(ops.commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"ops.commands.{name}"), name)
        assert isinstance(command, click.Command)
        command.short_help = _without_example(command.help or "")
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="jejak")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Contact tracing for health facilities: from a QR scan at the door to the right health office."""
    ctx.obj = load_settings(os.environ)


def main() -> None:
    """Run the command line; exit 2 with one line for what somebody outside got wrong."""
    try:
        sys.exit(cli(prog_name="jejak", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"jejak: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except JejakError as error:
        click.echo(f"jejak: {error}", err=True)
        sys.exit(error.exit_code)
    except StopWorker as order:
        click.echo(f"jejak: {order}", err=True)
        sys.exit(order.exit_code)


def _without_example(text: str) -> str:
    """Return the first sentence for the list of commands; click itself would cut it off at the dot of `e.g.`."""
    return " ".join(text.partition("\n\n")[0].split()).partition(", e.g. ")[0].partition(". ")[0].rstrip(".")


if __name__ == "__main__":
    main()
