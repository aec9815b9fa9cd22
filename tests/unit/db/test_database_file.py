"""The file itself: how it is opened, who may read it, and that an acknowledged commit stays."""

import asyncio
import signal
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from core.db.driver import sqlite_driver, survives_wal
from core.db.engine import Database, open_engine
from core.db.tables import alerts, order_moves, orders
from core.domain.order import OrderState
from tests.builders import an_alert, an_order, database_file, fresh_database
from tests.patience import PATIENCE

FULL, EXTRA = 2, 3
ROOT = Path(__file__).parents[3]
ACKNOWLEDGE_FOR_EVER = """
import asyncio, sys
from core.db.engine import Database
from sqlalchemy import text

async def main():
    database = Database(sys.argv[1])
    for number in range(100_000):
        await database.write(lambda c: c.execute(text("INSERT INTO heap VALUES (:n)"), {"n": number}))
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("version", "survives"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_is_trusted_only_where_the_reset_bug_is_mended(version: tuple[int, int, int], survives: bool) -> None:
    assert survives_wal(version) is survives


@pytest.mark.sqlite("its rules of keeping")
@pytest.mark.parametrize(
    ("version", "journal", "synchronous"), [((3, 51, 3), "wal", FULL), ((3, 40, 1), "truncate", EXTRA)]
)
def test_commits_are_synced_and_references_checked_on_every_connection(
    version: tuple[int, int, int], journal: str, synchronous: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_driver(), "sqlite_version_info", version)
    expected = {
        "journal_mode": journal,
        "synchronous": synchronous,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "busy_timeout": 5000,
    }
    with closing(fresh_database(tmp_path)) as database:
        for open_connection in (database.transaction, database.snapshot):
            with open_connection() as connection:
                rules = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected}
            assert rules == expected


@pytest.mark.sqlite("its file")
def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    engine = open_engine(f"sqlite:///{file}", busy_timeout=1)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE heap (n INTEGER)"))
        connection.commit()
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    engine.dispose()
    assert modes.pop("new.db") == 0o600
    assert set(modes.values()) <= {0o600}  # SQLite gives the log and its index the mode of the database


@pytest.mark.sqlite("its file")
def test_opening_an_existing_file_keeps_what_is_in_it(tmp_path: Path) -> None:
    with closing(fresh_database(tmp_path)) as database, database.transaction() as connection:
        an_alert(connection)
    with closing(Database(f"sqlite:///{tmp_path / 'munshi.db'}")) as again, again.snapshot() as connection:
        assert len(connection.execute(select(alerts.c.id)).all()) == 1


@pytest.mark.sqlite("its file")
async def test_every_acknowledged_commit_outlives_a_process_killed_right_after(tmp_path: Path) -> None:
    url = f"sqlite:///{database_file(tmp_path)}"
    with closing(Database(url)) as database, database.transaction() as connection:
        connection.execute(text("CREATE TABLE heap (n INTEGER)"))
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ACKNOWLEDGE_FOR_EVER, url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout
    async with asyncio.timeout(PATIENCE):
        acknowledged = [int(await writer.stdout.readline()) for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        rest = await writer.stdout.read()
        acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
        await writer.wait()
    with closing(Database(url)) as database, database.snapshot() as connection:
        kept = set(connection.execute(text("SELECT n FROM heap")).scalars())
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    assert set(acknowledged) <= kept
    assert len(kept - set(acknowledged)) <= 1  # the one that was under way


def test_times_come_back_aware_and_sort_by_time_whatever_zone_they_came_in(connection: Connection) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    moments = [
        datetime(2026, 11, 25, 9, 0, tzinfo=UTC),
        datetime(2026, 11, 25, 14, 29, 59, 999999, tzinfo=india),
        datetime(2026, 11, 25, 14, 30, 0, 1, tzinfo=india),
    ]
    for moment in moments:
        an_alert(connection, received_at=moment)
    found = list(connection.execute(select(alerts.c.received_at).order_by(alerts.c.received_at)).scalars())
    assert found == sorted(moments)
    assert {moment.tzinfo for moment in found} == {UTC}


def test_a_time_without_a_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(Exception, match="needs a zone"):
        an_alert(connection, received_at=datetime(2026, 11, 25, 9, 0))  # noqa: DTZ001 - that is the mistake


@pytest.mark.parametrize("rupees", ["0.05", "2500.10", "99999999.9999", "0.10"])
def test_money_comes_back_to_the_paisa_as_it_was_written(connection: Connection, rupees: str) -> None:
    order = an_order(connection, price=Decimal(rupees))
    assert order.price is not None
    assert str(order.price) == rupees


def test_a_word_that_no_enum_knows_is_not_stored(connection: Connection) -> None:
    with pytest.raises(Exception, match="'bought' is not a valid OrderState"):
        an_order(connection, state="bought")


def test_a_word_that_no_enum_knows_is_an_error_when_read(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.QUEUED)
    connection.execute(insert(order_moves).values(before="queued", after="bought"))
    connection.exec_driver_sql("UPDATE orders SET state = 'bought'")
    with pytest.raises(Exception, match="'bought' is not a valid OrderState"):
        connection.execute(select(orders.c.state).where(orders.c.id == order.id)).scalar_one()
