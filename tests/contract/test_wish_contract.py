"""What a broker is asked for is what it has: in every product, for as long as it lasts, and at its time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.broker.port import Broker
from core.domain.alert import AmoTime, Product, Validity
from core.domain.instrument import Segment
from core.sandbox.dhan.instruments import listed_on
from tests.contract.test_broker_contract import EVENING, RESTING, WISH, found, placed
from tests.integration.paper_dhan import PaperDhan, india

NIFTY = next(
    security
    for security in listed_on(EVENING.date()).values()
    if (security.underlying, security.kind) == ("NIFTY", "FUTIDX")
)
CONTRACT: dict[str, Any] = {"segment": Segment.NSE_FNO, "security_id": NIFTY.id, "quantity": NIFTY.lot}


@pytest.mark.parametrize(
    ("product", "word", "of"),
    [
        (Product.DELIVERY, "CNC", {}),
        (Product.INTRADAY, "INTRADAY", {}),
        (Product.INTRADAY, "INTRADAY", CONTRACT),
        (Product.CARRY_FORWARD, "MARGIN", CONTRACT),
        (Product.MARGIN_FUNDED, "MTF", {}),
    ],
)
async def test_an_order_is_taken_in_every_product_and_found_in_it(
    broker: Broker, dhan: PaperDhan, product: Product, word: str, of: dict[str, Any]
) -> None:
    wish = replace(WISH, product=product, **of)
    await placed(broker, wish)
    assert (await found(broker, wish)).product is product
    assert [row["productType"] for row in dhan.book()] == [word]


@pytest.mark.parametrize(("validity", "word"), [(Validity.DAY, "DAY"), (Validity.IOC, "IOC")])
async def test_an_order_lasts_as_long_as_it_was_asked_to(
    broker: Broker, dhan: PaperDhan, validity: Validity, word: str
) -> None:
    await placed(broker, replace(RESTING, validity=validity))
    assert [row["validity"] for row in dhan.book()] == [word]


@pytest.mark.parametrize(
    ("amo_time", "reaches"),
    [
        (AmoTime.PRE_OPEN, "2026-11-26 09:00"),
        (AmoTime.OPEN, "2026-11-26 09:15"),
        (AmoTime.OPEN_30, "2026-11-26 09:45"),
        (AmoTime.OPEN_60, "2026-11-26 10:15"),
    ],
)
async def test_an_after_market_order_reaches_the_exchange_when_it_was_asked_to(
    broker: Broker, dhan: PaperDhan, amo_time: AmoTime, reaches: str
) -> None:
    dhan.clock.instant = EVENING
    order_id = await placed(broker, replace(RESTING, amo_time=amo_time))
    at_the_exchange: list[bool] = []
    for seconds in (-1, 1):
        dhan.clock.instant = india(reaches) + timedelta(seconds=seconds)
        dhan.book()
        at_the_exchange.append(dhan.order(order_id)["exchangeOrderId"] not in ("", "NA", None))
    assert at_the_exchange == [False, True]
