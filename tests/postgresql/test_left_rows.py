"""The rows of a test's database outlast it, so that the search for secrets finds what should not be there."""

from pathlib import Path
from shutil import rmtree

from core import controls, journal
from core.controls import Hold
from core.db.engine import Database
from core.settings import PaperAccount
from tests import postgres_server as postgres
from tests.builders import NOON
from tests.canary import leaks


def test_a_secret_in_a_row_is_found_after_the_database_is_gone(tmp_path: Path) -> None:
    others = postgres.made()
    folder = tmp_path / "test_one0"
    folder.mkdir()
    database = Database(postgres.fresh_address(folder))
    with database.transaction() as connection:
        controls.set_hold(connection, Hold.PAUSED, f"The PIN is {PaperAccount.PIN}.", at=NOON, actor=journal.DESK)
    database.close()
    postgres.drop_all(but=others)
    [rows] = folder.iterdir()
    assert leaks(tmp_path) == [f"test_one0/{rows.name} shows the PIN"]
    rmtree(folder)  # the search of the whole run must not see it
