"""`.env.example` is how people learn the settings, so it must know them all."""

import re
from enum import Enum
from pathlib import Path
from typing import Any

from core.settings import Settings

EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8").splitlines()
ENTRY = re.compile(r"#([A-Z_]+)=(.*)")


def example() -> dict[str, str]:
    return {entry[1]: entry[2] for line in EXAMPLE if (entry := ENTRY.fullmatch(line))}


def test_the_example_names_every_setting_in_the_order_of_the_code() -> None:
    assert list(example()) == [name.upper() for name in Settings.model_fields]


def test_the_example_shows_the_defaults() -> None:
    assert example() == {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()}


def test_a_copy_of_the_example_changes_nothing() -> None:
    assert all(not line or line.startswith("#") for line in EXAMPLE)


def shown(default: Any) -> str:
    match default:
        case None:
            return ""
        case Enum():
            return default.value
        case bool():
            return str(default).lower()
        case _:
            return str(default)
