"""Small builders for tests that need a database, rows in it, or a clock that stands still."""

import asyncio
import os
import secrets
import shutil
import tempfile
from atexit import register
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from core import intake, notifications
from core.calendar import load_calendar
from core.db import alerts, orders
from core.db.alerts import StoredAlert
from core.db.engine import QUICK, Database
from core.db.migration import migrate
from core.db.tables import alerts as alert_rows
from core.db.tables import orders as order_rows
from core.domain.alert import AlertState, AmoTime, Exchange, OrderType, Product, Side
from core.domain.instrument import Segment
from core.domain.order import Mode, Order, OrderState
from core.settings import load
from tests import postgres_server as postgres
from tests.patience import PATIENCE

CALENDAR = load_calendar()
NOON = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
"""A Wednesday in the session: 12:00 in India."""

_SET_LATER = {"version", "filled_quantity", "confirmed", "created_at", "updated_at"}  # a new order has none of them


class FrozenClock:
    """Stands at one instant until it is moved."""

    def __init__(self, instant: datetime = NOON) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def advance(self, by: timedelta | float) -> None:
        """Move on by a span, or by seconds."""
        self.instant += by if isinstance(by, timedelta) else timedelta(seconds=by)


def fresh_database(tmp_path: Path, *, busy_timeout: float = 5.0, quick: float = QUICK) -> Database:
    """A migrated database without rows: the folder's `munshi.db`, or the server's. Whoever opens it closes it."""
    return Database(fresh_address(tmp_path), busy_timeout=busy_timeout, quick=quick)


def fresh_address(folder: Path) -> str:
    """Where a migrated database without rows is; settings with that data directory find it."""
    if not postgres.is_chosen():
        return f"sqlite:///{database_file(folder)}"
    os.environ["DATABASE_URL"] = address = postgres.fresh_address(folder)
    return address


def empty_address(folder: Path) -> str:
    """Where nothing is yet, not even tables; settings with that data directory find it."""
    if not postgres.is_chosen():
        return f"sqlite:///{folder / 'munshi.db'}"
    os.environ["DATABASE_URL"] = address = postgres.fresh_address(folder, migrated=False)
    return address


def address_of(database: Database) -> str:
    """For one who opens it again."""
    return database.engine.url.render_as_string(hide_password=False)


def database_file(folder: Path) -> Path:
    """A migrated `munshi.db` in the folder, for what is about files."""
    file = folder / "munshi.db"
    shutil.copy(_template(), file)
    return file


def break_the_commit(connection: Connection) -> None:
    """From inside a write: what it stored is found to be wrong when it is committed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    else:
        connection.exec_driver_sql(
            "ALTER TABLE alerts ALTER CONSTRAINT fk_alerts_source_id DEFERRABLE INITIALLY DEFERRED"
        )
    connection.exec_driver_sql("UPDATE alerts SET source_id = 999")


@contextmanager
def locked(address: str) -> Generator[None]:
    """Another process is in the middle of a write."""
    with closing(Database(address)) as other, other.transaction():
        yield


@cache
def _template() -> Path:
    """A copy costs nothing, so the migrations run once per test process."""
    folder = Path(tempfile.mkdtemp(prefix="munshi-tests-"))
    register(shutil.rmtree, folder, ignore_errors=True)
    migrate(load(munshi_data_dir=folder))
    return folder / "munshi.db"


def an_alert(connection: Connection, **values: Any) -> StoredAlert:
    """A stored alert: received at noon and answered, unless the values say otherwise."""
    uid = secrets.token_hex(16)
    row = {
        "uid": uid,
        "source_id": alerts.source_id(connection),
        "state": AlertState.RECEIVED,
        "digest": intake.digest(uid.encode()),
        "body": "{}",
        "reason": "",
        "received_at": NOON,
        "answered_at": NOON,
        "folded": 0,
        "card_version": 1,
        **values,
    }
    alert_id = connection.execute(insert(alert_rows).returning(alert_rows.c.id), row).scalar_one()
    stored = alerts.get(connection, alert_id)
    assert stored
    return stored


def an_order(connection: Connection, *, at: datetime = NOON, **values: Any) -> Order:
    """A stored order: ten RELIANCE at the market, due at noon; of a new, decided alert unless `alert_id` is given."""
    if "alert_id" not in values:
        values["alert_id"] = an_alert(connection, state=AlertState.DECIDED).id
    later = {name: values.pop(name) for name in _SET_LATER & values.keys()}
    row = {
        "position": len(orders.of_alert(connection, values["alert_id"])) + 1,
        "state": OrderState.QUEUED,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "product": Product.INTRADAY,
        "exchange": Exchange.NSE,
        "symbol": "RELIANCE",
        "quantity": 10,
        "price": None,
        "trigger_price": None,
        "segment": Segment.NSE_EQ,
        "security_id": "2885",
        "tick": Decimal("0.10"),
        "has_derivatives": True,
        "mode": Mode.IMMEDIATE,
        "as_amo": False,
        "amo_time": AmoTime.OPEN_30,
        "release_at": at,
        "reaches_exchange_at": at,
        "expires_at": at + timedelta(hours=3),
        "reason": "",
        **values,
    }
    order_id = orders.add(connection, row, at=at, actor="test")
    if later:
        connection.execute(update(order_rows).where(order_rows.c.id == order_id).values(later))
    return orders.get(connection, order_id)


def owes_words(connection: Connection) -> bool:
    """Whether a card or a message is due to a chat, or will be repeated there."""
    wall = datetime.now(UTC)
    return bool(notifications.due_cards(connection, wall, 1) or notifications.due_messages(connection, wall, 1))


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks and threads run until the condition holds; at most `PATIENCE` seconds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - other threads and processes set no event
            await asyncio.sleep(0.001)
