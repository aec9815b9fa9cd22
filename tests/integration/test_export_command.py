"""`munshi export` and `munshi verify`: the same files as in the chat, and the place where one was changed."""

from pathlib import Path

import pytest

from core.cli import main
from core.clock import PaperClock
from core.db.engine import Database
from core.db.migration import migrate
from core.domain.order import OrderState
from core.settings import load
from tests.builders import NOON, an_order


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk's data of 25 November, with one rejected order."""
    monkeypatch.setenv("MUNSHI_DATA_DIR", str(tmp_path))
    settings = load()
    migrate(settings)
    PaperClock(settings.clock_file).jump_to(NOON)
    database = Database(settings.database)
    with database.transaction() as connection:
        an_order(connection, state=OrderState.REJECTED, reason="Not enough money.")
    database.close()
    return tmp_path


def test_what_was_exported_is_whole_until_it_is_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--into", str(folder / "out")]) == 0
    printed = capsys.readouterr().out
    file = folder / "out" / "orders-2026-11-25.csv"
    assert f"{file}: 1 rows, last hash " in printed
    assert main(["verify", str(file)]) == 0
    assert printed.partition("last hash ")[2].split()[0] in capsys.readouterr().out

    file.write_text(file.read_text().replace("Not enough", "More than enough"))
    assert main(["verify", str(file)]) == 1
    assert "row 1 (1, 1.1) is broken" in capsys.readouterr().err


def test_a_span_of_days_is_in_the_name(folder: Path) -> None:
    assert main(["export", "--since", "2026-11-01", "--until", "2026-11-30"]) == 0
    assert (folder / "exports" / "fills-2026-11-01-to-2026-11-30.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "--since", "yesterday"], "no day; write 2026-12-01"),
        (["export", "--since", "2026-11-30", "--until", "2026-11-01"], "comes after"),
        (["verify", "nowhere.csv"], "cannot be read"),
    ],
)
def test_a_mistake_is_said_in_words(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 1
    assert says in capsys.readouterr().err
    assert not (folder / "exports").exists()
