"""A contract's last session: what still reaches it, and what becomes of what does not."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from core.broker.dhan.instruments import InstrumentList
from core.db import alerts, orders
from core.domain.alert import AlertState, Product
from core.domain.instrument import Segment
from core.domain.order import Mode, Order, OrderState
from core.engine.claim import why_not_now
from core.engine.decide import Decider
from tests.builders import CALENDAR, an_alert, an_order
from tests.integration.paper_dhan import india
from tests.unit.alerts.alert_samples import FUTURE, OPTION, body
from tests.unit.engine.listing import listed_on
from tests.unit.engine.rows import rules_at

LAST_DAY = date(2026, 12, 29)
STOCK = FUTURE | {"symbol": "RELIANCE1!"}
CRUDE = FUTURE | {"symbol": "CRUDEOIL1!", "exchange": "MCX"}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstrumentList]:
    with listed_on(LAST_DAY, tmp_path_factory.mktemp("list")) as listed:
        yield listed


def fired(
    connection: Connection, listed: InstrumentList, leg: dict[str, Any], at: datetime
) -> tuple[AlertState, str, list[Order]]:
    """The alert's state and words, and its orders, after the desk decided it at that moment."""
    stored = an_alert(connection, body=body(leg).decode(), received_at=at)
    Decider(resolve=listed.resolve).decide(connection, rules_at(connection, at))
    after = alerts.get(connection, stored.id)
    assert after is not None
    return after.state, after.reason, orders.of_alert(connection, stored.id)


@pytest.mark.parametrize(
    ("leg", "at", "expected"),
    [
        (STOCK, "2026-12-29 15:30", ("RELIANCE-Dec2026-FUT", Mode.IMMEDIATE)),
        (STOCK, "2026-12-29 19:00", ("RELIANCE-Jan2027-FUT", Mode.AMO)),
        (STOCK | {"symbol": "RELIANCE2!"}, "2026-12-29 12:00", ("RELIANCE-Jan2027-FUT", Mode.IMMEDIATE)),
        (STOCK | {"symbol": "RELIANCE2!"}, "2026-12-29 19:00", ("RELIANCE-Feb2027-FUT", Mode.AMO)),
        (FUTURE, "2026-12-29 15:20", ("NIFTY-Dec2026-FUT", Mode.IMMEDIATE)),
        (FUTURE, "2026-12-29 15:40", ("NIFTY-Jan2027-FUT", Mode.IMMEDIATE)),
        (FUTURE, "2026-12-29 19:00", ("NIFTY-Jan2027-FUT", Mode.AMO)),
    ],
)
def test_a_continuous_future_is_the_contract_of_the_session_that_the_order_reaches(
    connection: Connection, listed: InstrumentList, leg: dict[str, Any], at: str, expected: tuple[str, Mode]
) -> None:
    _, words, [order] = fired(connection, listed, leg, india(at))
    assert (order.symbol, order.mode) == expected
    has_moved_on = at > "2026-12-29 15:30"
    assert ("Dec2026-FUT has had its last session" in words) == has_moved_on


def test_a_commodity_moves_on_after_the_evening_of_its_last_day(connection: Connection, tmp_path: Any) -> None:
    with listed_on(date(2026, 12, 18), tmp_path) as listed:
        found = [
            fired(connection, listed, CRUDE, india(at))[2][0].symbol for at in ("2026-12-18 23:50", "2026-12-18 23:56")
        ]
    assert found == ["CRUDEOIL-18Dec2026-FUT", "CRUDEOIL-19Jan2027-FUT"]


@pytest.mark.parametrize(
    "leg",
    [
        STOCK | {"symbol": "RELIANCE-Dec2026-FUT"},
        OPTION | {"expiry_date": "2026-12-29"},
    ],
)
def test_a_contract_by_its_own_name_is_refused_after_its_last_session(
    connection: Connection, listed: InstrumentList, leg: dict[str, Any]
) -> None:
    state, words, placed = fired(connection, listed, leg, india("2026-12-29 19:00"))
    assert (state, placed) == (AlertState.REFUSED, [])
    assert "The contract's last session was on Tue 29 Dec." in words


def test_an_order_remembers_the_last_day_of_any_contract(connection: Connection, listed: InstrumentList) -> None:
    _, _, [order] = fired(connection, listed, STOCK, india("2026-12-29 12:00"))
    assert (order.expiry, order.index_expiry) == (LAST_DAY, None)


def test_an_order_that_waited_past_the_last_session_does_not_go(connection: Connection) -> None:
    order = an_order(connection, segment=Segment.NSE_FNO, product=Product.INTRADAY, expiry=LAST_DAY)
    assert order.state is OrderState.QUEUED
    assert why_not_now(order, india("2026-12-29 15:40"), CALENDAR) is None
    assert why_not_now(order, india("2026-12-30 12:00"), CALENDAR) == "The contract's last session was on Tue 29 Dec."
