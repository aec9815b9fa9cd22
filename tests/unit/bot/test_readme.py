"""The README's table of commands is the table of commands."""

import re
from pathlib import Path

from bot.commands import BY_NAME

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_every_command_and_no_other() -> None:
    rows = re.findall(r"^\| `/([a-z]+)", README, re.MULTILINE)
    assert sorted(rows) == sorted(BY_NAME)
