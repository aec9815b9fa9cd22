"""`munshi backup` and `munshi restore` on the files of a data directory."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core import controls
from core.cli import main
from core.clock import SystemClock
from core.controls import Hold
from core.db import alerts, leases, orders
from core.db.copies import check, copy_out
from core.db.engine import Database
from core.db.schema import NEWEST
from core.db.tables import alerts as alert_rows
from core.domain.order import OrderState
from tests.builders import an_alert, an_order, database_file
from tests.integration.webhook.running_web import wait_until
from tests.patience import PATIENCE

pytestmark = pytest.mark.sqlite("a copy of its file")


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    database_file(tmp_path)
    monkeypatch.setenv("MUNSHI_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{data_dir / 'munshi.db'}")
    yield database
    database.close()


def count_alerts(file: Path) -> int:
    database = Database(f"sqlite:///{file}")
    with database.snapshot() as connection:
        count = connection.execute(select(func.count()).select_from(alert_rows)).scalar_one()
    database.close()
    return count


def test_a_backup_is_one_file_that_only_its_owner_may_read(data_dir: Path, database: Database) -> None:
    with database.transaction() as connection:
        an_alert(connection)
    assert main(["backup", str(data_dir / "copies" / "one.db")]) == 0
    assert [file.name for file in (data_dir / "copies").iterdir()] == ["one.db"]
    assert stat.S_IMODE((data_dir / "copies" / "one.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "copies").stat().st_mode) == 0o700
    assert count_alerts(data_dir / "copies" / "one.db") == 1


def test_without_a_name_a_backup_is_named_for_its_moment(data_dir: Path) -> None:
    assert main(["backup"]) == 0
    assert [file.suffix for file in (data_dir / "backups").iterdir()] == [".db"]


def test_a_backup_never_replaces_a_file(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data_dir / "one.db").write_text("precious")
    assert main(["backup", str(data_dir / "one.db")]) == 1
    assert (data_dir / "one.db").read_text() == "precious"
    assert "is there already" in capsys.readouterr().err


def test_a_backup_under_load_is_whole_and_ends_at_one_commit(data_dir: Path, database: Database) -> None:
    done = threading.Event()

    def fire() -> None:
        while not done.is_set():
            with database.transaction() as connection:
                an_order(connection)  # an alert and its order: never one without the other

    writer = threading.Thread(target=fire)
    writer.start()
    try:
        copies = [data_dir / f"{number}.db" for number in range(3)]
        for file in copies:
            copy_out(data_dir / "munshi.db", file)
    finally:
        done.set()
        writer.join()
    for file in copies:
        check(file)
        copied = Database(f"sqlite:///{file}")
        with copied.snapshot() as connection:
            assert len(orders.recent(connection, 100_000)) == len(alerts.some(connection, range(100_000)))
        copied.close()


def test_a_restore_refuses_while_a_desk_is_running(
    data_dir: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    with database.transaction() as connection:
        an_alert(connection)
        leases.acquire(connection, holder="a desk", nudge_port=1, at=SystemClock().now())
    assert main(["restore", str(data_dir / "one.db")]) == 1
    assert "a desk is running on this database: stop it first" in capsys.readouterr().err
    assert count_alerts(data_dir / "munshi.db") == 1


def test_a_restore_puts_the_backup_back_for_those_who_have_the_database_open_too(
    data_dir: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.transaction() as connection:
        waiting = an_order(connection)
    assert main(["backup", str(data_dir / "one.db")]) == 0
    with database.transaction() as connection:
        an_alert(connection)
    assert main(["restore", str(data_dir / "one.db")]) == 0
    assert "waited in it: 1." in capsys.readouterr().out
    with database.transaction() as connection:
        assert orders.get(connection, waiting.id).state is OrderState.UNKNOWN
        assert "put back as of" in controls.holds(connection)[Hold.PAUSED]
        an_alert(connection)
    assert count_alerts(data_dir / "munshi.db") == 3, "with the one that keeps the numbers"


def test_a_restore_keeps_what_was_there(data_dir: Path, database: Database) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    with database.transaction() as connection:
        an_alert(connection)
    assert main(["restore", str(data_dir / "one.db")]) == 0
    [kept] = (data_dir / "backups").iterdir()
    assert count_alerts(kept) == 1


def test_what_is_written_during_a_restore_is_in_what_was_kept_or_in_what_was_put_back(
    data_dir: Path, database: Database
) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    done = threading.Event()
    written: list[int] = []

    def fire() -> None:
        while not done.is_set():
            with database.transaction() as connection:
                an_alert(connection)
            written.append(1)

    writer = threading.Thread(target=fire)
    writer.start()
    try:
        wait_until(lambda: len(written) > 10)
        assert main(["restore", str(data_dir / "one.db")]) == 0
        before = len(written)
        wait_until(lambda: len(written) > before)
    finally:
        done.set()
        writer.join()
    [kept] = (data_dir / "backups").iterdir()
    its_own = 1  # which keeps the numbers of those that came after the backup
    assert count_alerts(kept) + count_alerts(data_dir / "munshi.db") == len(written) + its_own


def test_the_next_desk_counts_on_from_the_desks_of_before(data_dir: Path, database: Database) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    wall = SystemClock()
    with database.transaction() as connection:
        for holder in ("a", "b", "c"):
            before = leases.acquire(connection, holder=holder, nudge_port=1, at=wall.now())
            assert before
            leases.release(connection, epoch=before, at=wall.now())
    assert main(["restore", str(data_dir / "one.db")]) == 0
    with database.transaction() as connection:
        assert not leases.hold(connection, before, wall.now())
        after = leases.acquire(connection, holder="d", nudge_port=1, at=wall.now())
    assert after
    assert after > before


def test_no_number_of_an_alert_comes_to_mean_another(data_dir: Path, database: Database) -> None:
    with database.transaction() as connection:
        an_alert(connection)
    assert main(["backup", str(data_dir / "one.db")]) == 0
    with database.transaction() as connection:
        lost = [an_alert(connection).id for _ in range(3)][-1]
    assert main(["restore", str(data_dir / "one.db")]) == 0
    with database.transaction() as connection:
        assert f"alerts up to {lost}" in alerts.recent(connection, 1)[0].reason
        assert an_alert(connection).id == lost + 2


def test_a_restore_works_where_the_database_is_gone(data_dir: Path) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    (data_dir / "munshi.db").unlink()
    assert main(["restore", str(data_dir / "one.db")]) == 0
    assert stat.S_IMODE((data_dir / "munshi.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.write_text("no database at all, but long enough to look like one" * 20), "cannot be used"),
        (lambda _file: None, "there is no database at"),
    ],
)
def test_what_is_no_backup_changes_nothing(
    data_dir: Path, make: "object", words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(data_dir / "one.db")  # type: ignore[operator]
    before = (data_dir / "munshi.db").read_bytes()
    assert main(["restore", str(data_dir / "one.db")]) == 1
    assert words in capsys.readouterr().err
    assert (data_dir / "munshi.db").read_bytes() == before


def test_a_backup_of_a_newer_version_is_refused(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    newer = Database(f"sqlite:///{data_dir / 'one.db'}")
    with newer.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    assert NEWEST < "9999"
    assert main(["restore", str(data_dir / "one.db")]) == 1
    assert "of a newer version" in capsys.readouterr().err


def test_a_damaged_database_is_named_with_what_to_do(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", str(data_dir / "one.db")]) == 0
    (data_dir / "munshi.db").write_text("not a database any more, whatever it was before this" * 20)
    assert main(["restore", str(data_dir / "one.db")]) == 1
    assert "If it is damaged: move munshi.db" in capsys.readouterr().err


def test_postgresql_has_its_own_tools(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://munshi@127.0.0.1:9/munshi")
    assert main(["backup"]) == 1
    assert "pg_dump" in capsys.readouterr().err
    assert main(["restore", str(data_dir / "munshi.db")]) == 1
    assert "pg_restore" in capsys.readouterr().err


def test_a_restore_without_a_name_asks_for_it(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore"]) == 1
    assert "munshi restore FILE" in capsys.readouterr().err
    assert data_dir


WITHOUT_A_LOG = """
import os, sys
from pathlib import Path
from core.db import sqlite
sqlite.survives_wal = lambda version: False  # as Debian 12's own SQLite, where pysqlite3 has no wheel
from core.cli import main
kept = str(Path(os.environ["MUNSHI_DATA_DIR"], "one.db"))
sys.exit(main(["migrate"]) or main(["backup", kept]) or main(["restore", kept]))
"""


def test_a_restore_ends_where_there_is_no_write_ahead_log(tmp_path: Path) -> None:
    here = os.environ | {"MUNSHI_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_LOG], env=here, timeout=PATIENCE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.glob(".*.part")) == []
    [kept] = (tmp_path / "backups").iterdir()
    assert count_alerts(kept) == 0
