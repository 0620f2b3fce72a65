"""Every word a page shows, in Indonesian and English side by side: `catalogue/*.toml`, one file per desk.

A key that is missing is a bug and says so; so is one without both languages, which a test looks for.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

Language: TypeAlias = Literal["id", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("id", "en")


@cache
def all_words() -> dict[str, dict[str, str]]:
    """Return {key: {language: text}}; a key is the names on the way to it, with dots between them."""
    found: dict[str, dict[str, str]] = {}
    for entry in sorted((files("portal.web") / "catalogue").iterdir(), key=str):
        if entry.name.endswith(".toml"):
            words = _flat(tomllib.loads(entry.read_text(encoding="utf-8")), "")
            assert not found.keys() & words.keys(), f"{entry.name} has words of another file"
            found |= words
    return found


def say(language: Language, key: str, **values: object) -> str:
    """Return the words of a key; `{name}` in them is filled from `values`."""
    text = all_words()[key][language]
    return text.format_map(values) if values else text


def decimal(language: Language, value: float, digits: int = 1) -> str:
    """Return a number with its decimals as a language writes them."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "id" else text


def _flat(table: dict[str, Any], prefix: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, value in table.items():
        if all(isinstance(text, str) for text in value.values()):
            found[prefix + name] = value
        else:
            found |= _flat(value, f"{prefix}{name}.")
    return found
