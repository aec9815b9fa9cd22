"""The guide quotes what the product says, so each quotation must still be said."""

import ast
import re
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from core.cli import COMMANDS
from core.cli.backup import FOLDER, name_for
from core.secrets import NAMED_BY_USERS, OUR_OWN, published_name

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
QUOTED = re.findall("“([^”]+)”", GUIDE)


@cache
def said() -> str:
    """Every text in the product's source; the parts of a formatted one each by itself."""
    files = [file for folder in ("bot", "core", "webhook") for file in (ROOT / folder).rglob("*.py")]
    trees = (ast.walk(ast.parse(file.read_text(encoding="utf-8"))) for file in files)
    return "\n".join(
        node.value for tree in trees for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@pytest.mark.parametrize("words", QUOTED)
def test_what_the_guide_quotes_is_what_the_product_says(words: str) -> None:
    assert words in said()


def test_the_guide_names_only_commands_that_there_are() -> None:
    assert set(re.findall(r"`munshi ([a-z]+)", GUIDE)) <= COMMANDS.keys()


def test_the_guide_names_every_secret() -> None:
    assert all(f"`{published_name(setting)}`" in GUIDE for setting in (*NAMED_BY_USERS, *OUR_OWN))


def test_files_that_the_guide_names_are_there() -> None:
    named = re.findall(r"`(?:\./)?((?:deploy|compose|Procfile|\.env\.example)[\w./-]*)", GUIDE)
    assert all((ROOT / name.rstrip("/")).exists() for name in named if "*" not in name)


def test_the_guide_has_the_bot_started_before_the_doctor_asks_for_it() -> None:
    look = GUIDE[GUIDE.index("**Look.**") : GUIDE.index("**Live.**")]
    assert 0 < look.index("`/start`") < look.index("`munshi doctor`")


def test_what_the_guide_deletes_are_backups_and_not_what_a_restore_kept() -> None:
    deletes = re.search(r"find \S+ -path '([^']+)' -mtime", GUIDE)
    assert deletes
    backup = name_for(datetime(2026, 12, 1, tzinfo=UTC))
    assert fnmatch(f"/var/lib/munshi/live/{FOLDER}/{backup}", deletes[1])
    assert not fnmatch(f"/var/lib/munshi/live/{FOLDER}/before-restore-{backup}", deletes[1])
