"""Commodities and currencies from the alert to the fill, by their own hours, in front of the stand-in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core.broker.dhan.instruments import InstrumentList
from core.db import alerts, orders
from core.domain.alert import AlertState, Leg
from core.domain.instrument import Instrument, Segment
from core.domain.limits import Bound, Limit, Limits
from core.domain.order import Mode, Order, OrderState
from core.engine.decide import Decider
from core.policies import Policies, save
from tests.builders import an_alert
from tests.integration.paper_dhan import india
from tests.unit.alerts.alert_samples import body
from tests.unit.engine.floor import Floor
from tests.unit.engine.listing import listed_on
from tests.unit.engine.rows import rules_at

TUESDAY = india("2026-12-01 12:00")
ORDINARY = {"transactionType": "B", "orderType": "MKT", "quantity": "1", "productType": "M", "price": "0"}
CRUDE = ORDINARY | {"exchange": "MCX", "symbol": "CRUDEOIL1!", "instrument": "FUT"}
MINT = CRUDE | {"symbol": "MENTHAOIL1!"}
CRUDE_CALL = ORDINARY | {
    "exchange": "MCX",
    "symbol": "CRUDEOIL",
    "instrument": "OPT",
    "option_type": "CE",
    "strike_price": "5400.0",
    "expiry_date": "2026-12-18",
}
DOLLAR = ORDINARY | {"exchange": "CDS", "symbol": "USDINR1!", "instrument": "FUT"}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstrumentList]:
    with listed_on(TUESDAY.date(), tmp_path_factory.mktemp("list")) as listed:
        yield listed


async def test_a_commodity_is_sent_in_lots_whatever_the_list_says_of_them_and_then_asks(
    floor: Floor, listed: InstrumentList
) -> None:
    def resolve(leg: Leg, today: date) -> Instrument:
        return replace(listed.resolve(leg, today), lot=100)

    at = india("2026-12-01 20:00")
    with floor.database.transaction() as connection:
        stored = an_alert(connection, body=body(CRUDE).decode(), received_at=at)
        Decider(resolve=resolve).decide(connection, rules_at(connection, at))
        [order] = orders.of_alert(connection, stored.id)
    assert (order.quantity, order.state) == (1, OrderState.AWAITING_APPROVAL)
    assert "has 100 units in a lot of CRUDEOIL-18Dec2026-FUT" in order.reason


async def fired(floor: Floor, listed: InstrumentList, leg: dict[str, Any], at: str) -> Order:
    """The alert's order once the desk has decided it at that time in India, and has sent what could go."""
    floor.clock.instant = india(at)
    assert await floor.sign_in()
    with floor.database.transaction() as connection:
        stored = an_alert(connection, body=body(leg).decode(), received_at=floor.clock.now())
        Decider(resolve=listed.resolve).decide(connection, rules_at(connection, floor.clock.now()))
        [order] = orders.of_alert(connection, stored.id)
    await floor.send()
    return floor.now(order)


async def later(floor: Floor, order: Order, at: str) -> Order:
    floor.clock.instant = india(at)
    await floor.sign_in()
    await floor.send()
    floor.clock.pass_time(seconds=2)
    await floor.follow_book()
    return floor.now(order)


@pytest.mark.parametrize(
    ("leg", "at", "listing"),
    [
        (CRUDE, "2026-12-01 20:00", (Segment.MCX_COMM, "CRUDEOIL-18Dec2026-FUT")),
        (CRUDE, "2026-12-01 23:40", (Segment.MCX_COMM, "CRUDEOIL-18Dec2026-FUT")),
        (CRUDE_CALL, "2026-12-01 10:30", (Segment.MCX_COMM, "CRUDEOIL-18Dec2026-5400-CE")),
        (MINT, "2026-12-01 16:30", (Segment.MCX_COMM, "MENTHAOIL-28Dec2026-FUT")),
        (DOLLAR, "2026-12-01 09:05", (Segment.NSE_CURRENCY, "USDINR-Dec2026-FUT")),
    ],
)
async def test_in_its_session_it_goes_at_once_and_fills(
    floor: Floor, listed: InstrumentList, leg: dict[str, Any], at: str, listing: tuple[Segment, str]
) -> None:
    order = await fired(floor, listed, leg, at)
    assert (order.mode, order.state) == (Mode.IMMEDIATE, OrderState.WORKING)
    assert (order.segment, order.symbol) == listing
    floor.clock.pass_time(seconds=2)
    await floor.follow_book()
    assert floor.now(order).state is OrderState.FILLED


def test_no_other_market_is_traded_than_the_alert_names(connection: Connection, listed: InstrumentList) -> None:
    index = DOLLAR | {"symbol": "NIFTY1!"}
    stored = an_alert(connection, body=body(index).decode(), received_at=TUESDAY)
    Decider(resolve=listed.resolve).decide(connection, rules_at(connection, TUESDAY))
    after = alerts.get(connection, stored.id)
    assert after is not None
    assert (after.state, orders.of_alert(connection, stored.id)) == (AlertState.REFUSED, [])
    assert "is of NSE_FNO, and the alert's exchange names NSE_CURRENCY" in after.reason


@pytest.mark.parametrize(
    ("leg", "at", "reaches"),
    [
        (CRUDE, "2026-12-02 08:00", "2026-12-02 09:30"),
        (CRUDE_CALL, "2026-12-01 08:44", "2026-12-01 09:30"),
        (DOLLAR, "2026-12-02 07:00", "2026-12-02 09:30"),
        (DOLLAR, "2026-12-01 19:00", "2026-12-02 09:30"),
    ],
)
async def test_before_its_session_it_goes_after_market_and_fills_after_its_own_open(
    floor: Floor, listed: InstrumentList, leg: dict[str, Any], at: str, reaches: str
) -> None:
    order = await fired(floor, listed, leg | {"amoTime": "OPEN_30"}, at)
    assert (order.mode, order.state, order.reaches_exchange_at) == (Mode.AMO, OrderState.WORKING, india(reaches))
    assert floor.dhan.book()[0]["afterMarketOrder"] is True
    assert (await later(floor, order, reaches)).state is OrderState.FILLED


async def test_between_its_windows_it_waits_for_the_next_one(floor: Floor, listed: InstrumentList) -> None:
    """From 08:45 MCX only takes cancellations: the next that comes is the open."""
    order = await fired(floor, listed, CRUDE, "2026-12-01 08:50")
    assert (order.mode, order.release_at) == (Mode.QUEUE, india("2026-12-01 09:00"))
    assert floor.dhan.ledger()["placements"] == 0


async def test_the_evening_session_of_a_holiday_takes_it(floor: Floor, listed: InstrumentList) -> None:
    order = await fired(floor, listed, CRUDE, "2026-11-24 18:00")
    assert (order.mode, order.state) == (Mode.IMMEDIATE, OrderState.WORKING)


def test_each_kind_is_listed_with_its_own_segment_and_step(listed: InstrumentList) -> None:
    def counted(exchange: str) -> set[str]:
        rows = listed._query("SELECT DISTINCT segment FROM instruments WHERE exchange = ?", exchange)
        return {row["segment"] for row in rows}

    assert counted("MCX") == {Segment.MCX_COMM.value}
    assert Segment.NSE_CURRENCY.value in counted("NSE")


@pytest.mark.parametrize(
    ("at", "leaves"), [("2026-12-01 18:00", "2026-12-02 00:00"), ("2026-11-24 18:00", "2026-11-25 00:00")]
)
async def test_an_agricultural_contract_does_not_go_in_the_evening_but_asks(
    floor: Floor, listed: InstrumentList, at: str, leaves: str
) -> None:
    order = await fired(floor, listed, MINT, at)
    assert (order.mode, order.state, order.release_at) == (Mode.QUEUE, OrderState.AWAITING_APPROVAL, india(leaves))
    assert floor.dhan.ledger()["placements"] == 0


@pytest.mark.parametrize("leg", [DOLLAR, CRUDE])
async def test_where_quantities_are_lots_a_limit_in_rupees_asks_for_the_value_is_not_known(
    floor: Floor, listed: InstrumentList, leg: dict[str, Any]
) -> None:
    """A lot of USDINR is 1,000 dollars, and one of crude oil 100 barrels."""
    with floor.database.transaction() as connection:
        limits = Limits(bounds={Limit.ORDER_VALUE: Bound(hard=Decimal(10_000))})
        save(connection, Policies(limits=limits), at=floor.clock.now(), actor="test", words="limits")
    order = await fired(floor, listed, leg | {"orderType": "LMT", "price": "89"}, "2026-12-01 10:30")
    assert order.state is OrderState.AWAITING_APPROVAL
    assert "What it is worth is not known" in order.reason
