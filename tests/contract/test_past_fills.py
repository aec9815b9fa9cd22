"""The fills of past days, over all pages of Dhan's trade history."""

from datetime import date
from decimal import Decimal

import pytest

from core.broker.port import Accepted, Broker, OrderRequest, PastFill
from core.domain.alert import OrderType, Product, Side
from core.domain.instrument import Segment
from core.errors import BrokerUnavailable
from tests.integration.paper_dhan import RELIANCE, PaperDhan, india


async def placed(broker: Broker, quantity: int) -> str:
    wish = OrderRequest(
        correlation_id=f"MU{quantity}",
        side=Side.BUY,
        segment=Segment.NSE_EQ,
        security_id=RELIANCE,
        product=Product.INTRADAY,
        order_type=OrderType.MARKET,
        quantity=quantity,
        price=None,
        trigger_price=None,
        amo_time=None,
    )
    outcome = await broker.place(wish)
    assert isinstance(outcome, Accepted), outcome
    return outcome.order_id


async def test_fills_of_past_days_add_up_by_order_over_all_pages(broker: Broker, dhan: PaperDhan) -> None:
    dhan.http.post("/dhan/sandbox/limits", json={})
    ids = [await placed(broker, number) for number in range(1, 24)]
    dhan.clock.pass_time(seconds=1)
    averages = {order.order_id: order.average_price for order in await broker.book()}
    dhan.clock.instant = india("2026-11-26 08:00")
    fills = await broker.past_fills(date(2026, 11, 25), date(2026, 11, 25))
    expected = {
        order_id: PastFill(
            quantity=number,
            average_price=averages[order_id] or Decimal(0),
            side=Side.BUY,
            segment="NSE_EQ",
            security_id=RELIANCE,
            product=Product.INTRADAY,
        )
        for number, order_id in enumerate(ids, 1)
    }
    assert fills == expected
    assert await broker.past_fills(date(2026, 11, 23), date(2026, 11, 24)) == {}


async def test_a_history_that_does_not_end_is_no_evidence(broker: Broker, dhan: PaperDhan) -> None:
    row = {"orderId": "1", "tradedQuantity": 1, "tradedPrice": 1.0}
    dhan.script("trades", "status", status=200, body=[row], times=1000)
    with pytest.raises(BrokerUnavailable, match="does not end"):
        await broker.past_fills(date(2026, 11, 25), date(2026, 11, 25))
