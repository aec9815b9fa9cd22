"""Exports: orders, fills and notifications of some days, read from rows and events."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection

from core import export, notifications
from core.chained_csv import verify
from core.db import orders
from core.domain.alert import OrderType, Side, Validity
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from tests.builders import NOON, an_order

TODAY = date(2026, 11, 25)


def table(connection: Connection, name: str, since: date = TODAY, until: date = TODAY) -> list[dict[str, str]]:
    sheet = next(sheet for sheet in export.sheets(connection, since, until) if sheet.name.startswith(name))
    assert verify(sheet.text)[0] == sheet.rows
    return list(csv.DictReader(io.StringIO(sheet.text)))


def filled(connection: Connection, *steps: tuple[int, str], **values: object) -> Order:
    """An order that filled in these steps: shares so far, and their average."""
    order = an_order(connection, **{"state": OrderState.QUEUED, **values})
    at = NOON
    for state in (OrderState.SUBMITTING, OrderState.WORKING):
        at += timedelta(milliseconds=100)
        order = orders.move(connection, order, state, at=at, actor="test", reason="on its way") or order
    for quantity, average in steps:
        at += timedelta(seconds=1)
        state = OrderState.FILLED if quantity == order.quantity else OrderState.PART_FILLED
        terms = {"filled_quantity": quantity, "average_price": Decimal(average)}
        order = orders.move(connection, order, state, at=at, actor="dhan", reason="Filled.", **terms) or order
    return order


def test_an_order_carries_both_clocks_its_latency_and_what_it_slipped(connection: Connection) -> None:
    filled(connection, (10, "1412.50"), order_type=OrderType.LIMIT, price=Decimal(1410), validity=Validity.IOC)
    [row] = table(connection, "orders")
    assert (row["type"], row["validity"], row["price"]) == ("LIMIT", "IOC", "1410")
    assert row["received_utc"].endswith("06:30:00.000Z")
    assert row["received_ist"] == "2026-11-25 12:00:00"
    assert (row["state"], row["filled"], row["average"]) == ("filled", "10", "1412.50")
    assert (row["alert_price"], row["slippage"], row["slippage_is"]) == ("1410", "2.50", "worse")
    assert row["alert_to_dhan_ms"] == "200"
    assert row["reason"] == "Filled."


def test_an_exit_comes_from_the_operator_and_the_rest_from_its_source(connection: Connection) -> None:
    an_order(connection)
    an_order(connection, side=Side.SELL, closes=True)
    assert [row["source"] for row in table(connection, "orders")] == ["tradingview", "the operator"]


def test_each_part_of_a_fill_is_a_row_with_its_own_price(connection: Connection) -> None:
    filled(connection, (4, "100"), (10, "106"))
    rows = table(connection, "fills")
    assert [(row["quantity"], row["price"]) for row in rows] == [("4", "100.0000"), ("6", "110.0000")]
    assert [row["alert_to_fill_ms"] for row in rows] == ["1200", "2200"]


def test_a_better_sale_is_said_to_be_better(connection: Connection) -> None:
    filled(connection, (10, "1412"), side=Side.SELL, order_type=OrderType.LIMIT, price=Decimal(1410))
    assert table(connection, "fills")[0]["slippage_is"] == "better"


def test_without_a_price_in_the_alert_slippage_is_not_known(connection: Connection) -> None:
    filled(connection, (10, "1412"))
    [row] = table(connection, "fills")
    assert (row["alert_price"], row["slippage"], row["slippage_is"]) == ("", "", "")


def test_a_reason_from_outside_is_no_formula(connection: Connection) -> None:
    an_order(connection, state=OrderState.REJECTED, reason="=HYPERLINK(1)")
    assert table(connection, "orders")[0]["reason"] == "'=HYPERLINK(1)"


def test_a_notification_says_what_became_of_it(connection: Connection) -> None:
    notifications.ring(connection, Notice.HELD, at=NOON, words="Held.")
    notifications.ring(connection, Notice.HELD, at=NOON, words="Held again.")
    first = notifications.due_messages(connection, NOON, 1)[0]
    notifications.message_sent(connection, first, 7, NOON + timedelta(milliseconds=40))
    rows = table(connection, "notifications")
    assert [(row["fate"], row["latency_ms"], row["reason"]) for row in rows] == [
        ("sent", "40", "Held."),
        ("waits", "", "Held again."),
    ]


def test_a_day_holds_what_happened_on_it_in_india(connection: Connection) -> None:
    filled(connection, (10, "100"))
    tomorrow = TODAY + timedelta(days=1)
    for name in ("orders", "fills"):
        assert table(connection, name, tomorrow, tomorrow) == []
        assert len(table(connection, name, TODAY - timedelta(days=3), tomorrow)) == 1


def test_the_same_days_make_the_same_file(connection: Connection) -> None:
    filled(connection, (10, "100"))
    assert export.sheets(connection, TODAY, TODAY) == export.sheets(connection, TODAY, TODAY)


def test_files_are_their_owners_alone(connection: Connection, tmp_path: Path) -> None:
    files = export.write(export.sheets(connection, TODAY, TODAY), tmp_path / "exports")
    assert [file.name for file in files] == [f"{n}-2026-11-25.csv" for n in ("orders", "fills", "notifications")]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not list((tmp_path / "exports").glob("*.part"))
