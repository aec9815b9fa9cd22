"""Every order the stand-in ever took, and every trade: the witness of fault tests.

Whatever the stand-in says about orders over HTTP is committed here first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from core.sandbox.dhan.hours import AmoTime
from core.sandbox.dhan.order import Order, OrderType, Product, Side, Status, Trade, Validity
from core.sandbox.dhan.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
  seq INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, correlation_id TEXT NOT NULL, side TEXT NOT NULL,
  segment TEXT NOT NULL, product TEXT NOT NULL, order_type TEXT NOT NULL, validity TEXT NOT NULL,
  security_id TEXT NOT NULL, quantity INTEGER NOT NULL, disclosed INTEGER NOT NULL, price TEXT NOT NULL,
  trigger_price TEXT NOT NULL, amo_time TEXT, entered_at TEXT NOT NULL, release_at TEXT NOT NULL,
  book_day TEXT NOT NULL, status TEXT NOT NULL, updated_at TEXT NOT NULL, exchange_order_id TEXT,
  exchange_time TEXT, triggered INTEGER NOT NULL, blocked TEXT NOT NULL, filled INTEGER NOT NULL,
  traded_value TEXT NOT NULL, modifications INTEGER NOT NULL, oms_code TEXT NOT NULL, oms_text TEXT NOT NULL, doom TEXT,
  stuck INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS orders_by_correlation ON orders (correlation_id);
CREATE INDEX IF NOT EXISTS orders_by_day ON orders (book_day);
CREATE TABLE IF NOT EXISTS trades (
  seq INTEGER PRIMARY KEY, trade_id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL REFERENCES orders (order_id),
  day TEXT NOT NULL, at TEXT NOT NULL, quantity INTEGER NOT NULL, price TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS trades_by_order ON trades (order_id);
CREATE INDEX IF NOT EXISTS trades_by_day ON trades (day);
"""
_ORDER = [field.name for field in fields(Order)]
_TRADE = [field.name for field in fields(Trade)]
_READERS: dict[str, Any] = {
    "side": Side,
    "product": Product,
    "order_type": OrderType,
    "validity": Validity,
    "status": Status,
    "amo_time": AmoTime,
    "price": Decimal,
    "trigger_price": Decimal,
    "traded_value": Decimal,
    "blocked": Decimal,
    "entered_at": datetime.fromisoformat,
    "release_at": datetime.fromisoformat,
    "updated_at": datetime.fromisoformat,
    "exchange_time": datetime.fromisoformat,
    "at": datetime.fromisoformat,
    "book_day": date.fromisoformat,
    "day": date.fromisoformat,
    "triggered": bool,
    "stuck": bool,
}


class Ledger:
    """What writes belongs inside `with store.transaction()`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_SCHEMA)
        self._orders_taken = self._highest("orders")
        self._trades_made = self._highest("trades")

    def next_order_id(self, day: date) -> str:
        """Thirteen digits, like production's: a prefix, the day, a running number."""
        self._orders_taken += 1
        return f"52{day:%y%m%d}{self._orders_taken:05d}"

    def next_trade_id(self) -> str:
        self._trades_made += 1
        return f"{self._trades_made:09d}"

    def add(self, order: Order) -> None:
        self._store.write(_insert("orders", _ORDER), _values(_ORDER, order))

    def save(self, order: Order) -> None:
        columns = ", ".join(f"{name} = ?" for name in _ORDER)
        values = [*_values(_ORDER, order), order.order_id]
        self._store.write(f"UPDATE orders SET {columns} WHERE order_id = ?", values)  # noqa: S608 - our field names

    def add_trade(self, trade: Trade) -> None:
        self._store.write(_insert("trades", _TRADE), _values(_TRADE, trade))

    def order(self, order_id: str) -> Order | None:
        return next(self._orders("WHERE order_id = ?", order_id), None)

    def by_correlation(self, correlation_id: str, since: date) -> Order | None:
        """The latest order with that id in the books from `since` on."""
        where = "WHERE correlation_id = ? AND book_day >= ? ORDER BY seq DESC LIMIT 1"
        return next(self._orders(where, correlation_id, since.isoformat()), None)

    def book(self, since: date) -> list[Order]:
        """The books of `since` and later days: after-market orders show on the evening they are entered."""
        return [order_of(row) for row in self.book_rows(since)]

    def book_rows(self, since: date) -> list[tuple[Any, ...]]:
        """The same as the file has it, for `order_of`."""
        return list(self._order_rows("WHERE book_day >= ? ORDER BY seq", since.isoformat()))

    def all_orders(self) -> list[Order]:
        return list(self._orders("ORDER BY seq"))

    def trades(self, since: date) -> list[Trade]:
        return self._trades("WHERE day >= ? ORDER BY seq", since.isoformat())

    def trades_of(self, order_id: str) -> list[Trade]:
        return self._trades("WHERE order_id = ? ORDER BY seq", order_id)

    def all_trades(self) -> list[Trade]:
        return self._trades("ORDER BY seq")

    def _orders(self, where: str, *values: str) -> Iterator[Order]:
        return map(order_of, self._order_rows(where, *values))

    def _order_rows(self, where: str, *values: str) -> Iterable[tuple[Any, ...]]:
        return self._store.read(f"SELECT {', '.join(_ORDER)} FROM orders {where}", *values)  # noqa: S608

    def _trades(self, where: str, *values: str) -> list[Trade]:
        rows = self._store.read(f"SELECT {', '.join(_TRADE)} FROM trades {where}", *values)  # noqa: S608
        return [Trade(**_read(_TRADE, row)) for row in rows]

    def _highest(self, table: str) -> int:
        row = self._store.read_one(f"SELECT coalesce(max(seq), 0) FROM {table}")  # noqa: S608
        return row[0] if row else 0


def order_of(row: tuple[Any, ...]) -> Order:
    return Order(**_read(_ORDER, row))


def plain(value: Any) -> Any:
    """A value as the file keeps it: instants in UTC with a fixed width, money as text."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return value


def _insert(table: str, columns: list[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _values(columns: list[str], record: Order | Trade) -> list[Any]:
    return [plain(getattr(record, name)) for name in columns]


def _read(columns: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in zip(columns, row, strict=True)}


def _value(name: str, value: Any) -> Any:
    read = _READERS.get(name)
    return value if read is None or value is None else read(value)
