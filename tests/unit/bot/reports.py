"""Reports about one alert, as the console gets them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from core.controls import Hold
from core.db.alerts import StoredAlert
from core.db.attempts import Attempt
from core.domain.alert import AlertState, AmoTime, Exchange, OrderType, Product, Side
from core.domain.attempt import AttemptState
from core.domain.instrument import Segment
from core.domain.order import Mode, Order, OrderState
from core.reports import AlertReport
from tests.builders import NOON

ALERT = StoredAlert(
    id=41,
    uid="0" * 32,
    source_id=1,
    state=AlertState.DECIDED,
    body="{}",
    reason="",
    received_at=NOON,
    fired_at=None,
    repeat_of=None,
    folded=0,
    card_version=3,
)
ORDER = Order(
    id=7,
    alert_id=41,
    position=1,
    state=OrderState.QUEUED,
    version=1,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    product=Product.DELIVERY,
    exchange=Exchange.NSE,
    symbol="M&M",
    quantity=10,
    price=Decimal("1412.50"),
    trigger_price=None,
    segment=Segment.NSE_EQ,
    security_id="2031",
    tick=Decimal("0.1"),
    has_derivatives=True,
    mode=Mode.QUEUE,
    as_amo=True,
    amo_time=AmoTime.OPEN_30,
    release_at=NOON + timedelta(hours=5),
    reaches_exchange_at=NOON + timedelta(hours=21, minutes=45),
    expires_at=NOON + timedelta(hours=20),
    retry_at=None,
    reason="",
    broker_order_id=None,
    confirmed=False,
    filled_quantity=0,
    average_price=None,
    created_at=NOON,
    updated_at=NOON,
)

ATTEMPT = Attempt(
    id=1,
    order_id=ORDER.id,
    number=1,
    correlation_id="MUA",
    state=AttemptState.UNKNOWN,
    epoch=1,
    request={},
    posts=1,
    claimed_at=NOON,
    refusal=None,
    code=None,
    words=None,
    lookups=0,
    absences=0,
    next_lookup_at=None,
)


def order(state: OrderState = OrderState.QUEUED, **changes: Any) -> Order:
    return replace(ORDER, state=state, **changes)


def report(
    *orders: Order,
    repeats: list[int] | None = None,
    holds: dict[Hold, str] | None = None,
    source: str = "tradingview",
    **alert: Any,
) -> AlertReport:
    return AlertReport(
        alert=replace(ALERT, source=replace(ALERT.source, name=source), **alert),
        orders=list(orders),
        repeats=repeats or [],
        holds=holds or {},
        at=NOON,
    )
