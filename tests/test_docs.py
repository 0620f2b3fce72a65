"""The docs name what is there, and all that is there: commands, settings, topics, metrics, paths, requests, rules."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ops.reference import commands, pages
from ops.store import SERVICE_ROLES
from portal.app import DESKS
from schemas.metrics import METRICS
from schemas.settings import setting_docs
from schemas.topics import TOPICS
from tracing.rulesets import DEFAULT_RULE

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BY_HAND = [path for path in DOCS if path.name not in pages()]
COMMANDS = {name: context.command for name, context in commands()}
TOP_LEVEL = sorted(path.name for path in ROOT.iterdir() if path.name not in {".venv", ".git", ".jejak"})
ARCHITECTURE_LINES_MAX = 200


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(text: str) -> Iterator[str]:
    """Yield each piece of code: the lines of fenced blocks, and what stands between backticks."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def calls_in(text: str) -> Iterator[list[str]]:
    """Yield the words behind `jejak` or `./jejak` of each piece of code that calls it, without its comment."""
    for code in code_of(text):
        call = re.search(r"(?:^|\s)(?:\./)?jejak((?: [^|&;#…]*)?)$", code.split("   #")[0].split("  #")[0].rstrip("…"))
        if call and call[1].strip():
            yield shlex.split(call[1])


def check_call(words: list[str]) -> str:
    """Return what is wrong with a call, or nothing."""
    if words[0].startswith("-"):
        return "" if words[0] in {"--help", "-h", "--version"} else f"no such option {words[0]}"
    name = words[0]
    if name not in COMMANDS:
        return f"no such command {name}"
    if len(words) > 1 and f"{name} {words[1]}" in COMMANDS:
        name = f"{name} {words[1]}"
    elif isinstance(COMMANDS[name], click.Group) and len(words) > 1:
        return f"no such command {name} {words[1]}"
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    return f"{name} has no {wrong}" if wrong else ""


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == pages()[name], "run: .venv/bin/python -m ops.reference"


@pytest.mark.parametrize("doc", BY_HAND, ids=named)
def test_commands_in_the_docs_exist_with_their_options(doc: Path) -> None:
    assert [wrong for words in calls_in(doc.read_text()) if (wrong := check_call(words))] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_a_commands_help_can_be_typed(name: str) -> None:
    text = " ".join((COMMANDS[name].help or "").split())
    assert [wrong for words in calls_in(text) if (wrong := check_call(words))] == []


def test_a_wrong_call_would_be_found() -> None:
    wrong = "```sh\n./jejak test --fats   # quick\n```\nThen `jejak trase-show` and `jejak keys remove`, or `jejak up`."
    calls = list(calls_in(wrong))
    assert calls == [["test", "--fats"], ["trase-show"], ["keys", "remove"], ["up"]]
    assert [bool(check_call(words)) for words in calls] == [True, True, True, False]


def test_settings_in_the_docs_exist() -> None:
    known = set(setting_docs())
    for doc in DOCS:
        assert set(re.findall(r"\bJEJAK_[A-Z_]*[A-Z]", doc.read_text())) <= known, doc


def test_topics_in_the_docs_exist() -> None:
    known = {topic.name for topic in TOPICS}
    for doc in DOCS:
        assert set(re.findall(r"\b[a-z]+(?:-[a-z]+)*\.v[0-9]+\b", doc.read_text())) <= known, doc


def test_metrics_in_the_docs_exist() -> None:
    known = {metric.name for metric in METRICS}
    roles = {"jejak_owner", *SERVICE_ROLES}
    for doc in DOCS:
        assert set(re.findall(r"\bjejak_[a-z_]*[a-z]", doc.read_text())) <= known | roles, doc


@pytest.mark.parametrize("doc", DOCS, ids=named)
def test_links_lead_somewhere(doc: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", doc.read_text()) if "://" not in link]
    assert [link for link in links if not (doc.parent / link).exists()] == []


@pytest.mark.parametrize("doc", BY_HAND, ids=named)
def test_paths_in_the_docs_exist(doc: Path) -> None:
    words = [word for code in code_of(doc.read_text()) for word in re.findall(r"[\w.\-/]+", code)]
    ours = [word for word in words if "/" in word and word.removeprefix("./").partition("/")[0] in TOP_LEVEL]
    assert [word for word in ours if not (ROOT / word).exists()] == []


def test_the_readme_says_where_to_change_what() -> None:
    table = (ROOT / "README.md").read_text().partition("## Where do I change")[2].partition("\n## ")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")][2:]
    paths = [re.findall(r"\]\(([^)]+)\)", row) for row in rows]
    assert len(paths) > 10
    assert all(paths), rows
    assert all((ROOT / path).exists() for row in paths for path in row)


def test_requests_in_the_docs_are_those_of_the_gate() -> None:
    page = (ROOT / "docs/http.md").read_text()
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", page, re.MULTILINE))
    there = {
        f"{method} {re.sub(r':[a-z]+}', '}', path)}"
        for handler in DESKS
        for path in handler.paths
        for method in handler.http_methods
        if method not in {"HEAD", "OPTIONS"}
    }
    assert told == there


def test_rule_sets_in_the_docs_are_those_of_the_files() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (\d{4}-\d\d-\d\d).*? \| (\d+) \| .* \| (\d+) / (\d+) \| (yes|no) \|",
        (ROOT / "docs/domain.md").read_text(),
        re.MULTILINE,
    )
    files = [tomllib.loads(path.read_text()) for path in (ROOT / "tracing/rules").glob("*.toml")]
    assert {
        (name, day, int(minutes), int(before), int(after), end == "yes")
        for name, day, minutes, before, after, end in rows
    } == {
        (
            rule["id"],
            rule["valid_from"].isoformat(),
            rule["minutes"],
            rule["days_before"],
            rule["days_after"],
            rule["ends_at_isolation"],
        )
        for rule in files
    }
    default = re.search(r"^\| `([a-z0-9-]+)`.*the default \|$", (ROOT / "docs/domain.md").read_text(), re.MULTILINE)
    assert default is not None
    assert default[1] == DEFAULT_RULE


def test_the_architecture_is_short_and_maps_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= ARCHITECTURE_LINES_MAX
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for room in project["tool"]["uv"]["build-backend"]["module-name"]:
        assert f"[`{room}/`]({room})" in text


def test_decisions_are_numbered_without_a_gap_and_say_their_price() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path
        for part in ("**Decided.**", "**Why.**", "**Price.**"):
            assert part in text, path


def test_the_makefile_only_calls_the_launcher_and_lists_its_targets() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):.*$", text, re.MULTILINE)
    assert re.findall(r"^([a-z-]+):.*## .+$", text, re.MULTILINE) == targets
    recipes = [line.strip() for line in text.splitlines() if line.startswith("\t")]
    calls = [recipe for recipe in recipes if not recipe.startswith("@sed")]
    assert calls
    for call in calls:
        assert check_call(shlex.split(call.removeprefix("./jejak"))) == "", call


def test_the_notice_names_every_folder_of_data_that_is_not_ours() -> None:
    named_paths = re.findall(
        r"^([a-z][\w/.-]+/[\w/.-]+)", (ROOT / "NOTICE").read_text().replace(", ", "\n"), re.MULTILINE
    )
    assert [path for path in named_paths if not (ROOT / path).exists()] == []
    licensed = {
        path.parent for room in ("portal", "producers", "tracing", "schemas") for path in (ROOT / room).rglob("LICENSE")
    }
    assert {str(folder.relative_to(ROOT)) for folder in licensed} <= set(named_paths)


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert lines == ["#!/usr/bin/env bash", 'exec "$(dirname "$0")/../jejak" test']
