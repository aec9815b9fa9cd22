"""`.env.example` is how people learn the settings, so it must know them all."""

import re
from enum import Enum
from pathlib import Path
from typing import Any

from core.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
ENTRY = re.compile(r"#([A-Z_]+)=(.*)")
BESIDE = {"SITE_ADDRESS": ""}


def example() -> dict[str, str]:
    return {entry[1]: entry[2] for line in EXAMPLE if (entry := ENTRY.fullmatch(line))}


def test_the_example_names_every_setting_in_the_order_of_the_code_and_then_what_is_beside() -> None:
    assert list(example()) == [*(name.upper() for name in Settings.model_fields), *BESIDE]


def test_the_example_shows_the_defaults() -> None:
    assert example() == {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()} | BESIDE


def test_what_compose_takes_from_the_file_stands_in_the_example() -> None:
    taken = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert "SITE_ADDRESS" in taken
    assert taken <= example().keys()


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
