"""The reference pages of docs/, written from the code: `python -m ops.reference` after a change; a test compares.

Settings, topics, metrics and commands are listed there and nowhere else by hand.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from ops.cli import cli
from schemas.metrics import METRICS
from schemas.settings import Settings, setting_docs
from schemas.topics import ALERT_PREFIX, TOPICS, Topic, alert_topic, office_user

DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 100


def pages() -> dict[str, str]:
    """Return each generated page by its file name in docs/."""
    return {
        "settings.md": _settings(),
        "topics.md": _topics(),
        "metrics.md": _metrics(),
        "commands.md": _commands(),
    }


def commands(parent: click.Context | None = None) -> Iterator[tuple[str, click.Context]]:
    """Yield every command as it is typed behind `jejak`, in its context, groups before what is in them."""
    parent = parent or click.Context(cli, info_name="jejak", terminal_width=WIDTH, **cli.context_settings)
    group = parent.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield context.command_path.removeprefix("jejak "), context
        if isinstance(command, click.Group):
            yield from commands(context)


def _settings() -> str:
    defaults = [field.default for field in msgspec.structs.fields(Settings)]
    named = zip(setting_docs().items(), defaults, strict=True)
    rows = [(f"`{name}`", _default(default), doc) for (name, doc), default in named]
    return _page(
        "Settings",
        "Environment variables, read once when a command starts. An unknown `JEJAK_…` name is an error, so that a "
        "misspelled one cannot pass for set. Where `JEJAK_HOME` is unset, the launcher sets it to `.jejak` beside it.",
        _table(("name", "default", "what it is"), rows),
    )


def _topics() -> str:
    office = msgspec.structs.replace(alert_topic("p36"), name=f"{ALERT_PREFIX}<office>")
    rows = [_topic_row(topic) for topic in TOPICS]
    rows.append((*_topic_row(office)[:-2], f"`{office_user('<office>')}`", office.doc))
    return _page(
        "Topics",
        "What travels where. Every client logs in with SCRAM and may do what this table says; all else is denied. "
        "`jejak schemas export` writes the events as JSON Schema and the topics as AsyncAPI 3. An office is `p` and a "
        "province code, or `d` and a district code: `p36`, `d3671`.",
        _table(("topic", "events", "key", "partitions", "kept", "writers", "readers", "what it carries"), rows),
    )


def _topic_row(topic: Topic) -> tuple[str, ...]:
    return (
        f"`{topic.name}`",
        ", ".join(f"`{event.__name__}`" for event in topic.events),
        topic.key.replace("|", r"\|"),
        str(topic.partitions or "N"),
        "compacted" if topic.compacted else f"{topic.retention_days} days",
        ", ".join(topic.writers),
        ", ".join(topic.readers),
        topic.doc,
    )


def _metrics() -> str:
    rows = [(f"`{metric.name}`", metric.kind, ", ".join(metric.labels) or "–", metric.doc) for metric in METRICS]
    return _page(
        "Metrics",
        "Prometheus' text format, at `/metrics` of the gate, the workers' and the relay's included; the audit's "
        "at its own port while `jejak audit --watch` runs. No label ever holds a person, a case, a facility or an "
        "office.",
        _table(("metric", "kind", "labels", "what it is"), rows),
    )


def _commands() -> str:
    parts = [f"## jejak {name}\n\n```text\n{context.get_help()}\n```\n" for name, context in commands()]
    return _page(
        "Commands",
        "Every command ends with 0 when it did what was asked, with 2 and one line on stderr when something outside "
        "is wrong. `worker` and `relay` end with 70, 71 or 72 as the operator's guide says.",
        "\n".join(parts),
    )


def _default(value: object) -> str:
    if value == "":
        return "empty"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _page(title: str, lead: str, body: str) -> str:
    return f"# {title}\n\n<!-- Written by `python -m ops.reference`; a test compares. -->\n\n{lead}\n\n{body}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")
