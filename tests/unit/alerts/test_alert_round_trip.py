import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.alerts.parse import parse_alert, read_alert_text, secret_in, without_secret
from core.domain.alert import (
    Alert,
    AmoTime,
    Exchange,
    InstrumentKind,
    Leg,
    OptionContract,
    OptionType,
    OrderType,
    Product,
    Side,
    Validity,
)

TALKING_SYMBOL = re.compile(r".+-EQ|.*!|.*[0-9]{6}[CP][0-9.]+")
SYMBOLS = st.from_regex(r"[A-Z0-9&_.-]{1,50}", fullmatch=True).filter(lambda text: not TALKING_SYMBOL.fullmatch(text))
FUTURES = st.from_regex(r"[A-Z0-9&_.-]{1,48}[1-9]!", fullmatch=True)
AMOUNTS = st.decimals(Decimal("0.0001"), Decimal(10_000_000), places=4)
CONTRACTS = st.builds(
    OptionContract,
    option_type=st.sampled_from(OptionType),
    strike=AMOUNTS,
    expiry=st.dates(date(2020, 1, 1), date(2099, 12, 31)),
)


@st.composite
def legs(draw: st.DrawFn, position: int) -> Leg:
    kind = draw(st.sampled_from(InstrumentKind))
    order_type = draw(st.sampled_from(OrderType))
    share = kind is InstrumentKind.EQUITY
    return Leg(
        position=position,
        side=draw(st.sampled_from(Side)),
        order_type=order_type,
        quantity=draw(st.integers(1, 10_000_000)),
        exchange=draw(st.sampled_from(Exchange)),
        symbol=draw(FUTURES if kind is InstrumentKind.FUTURE else SYMBOLS),
        kind=kind,
        product=draw(st.sampled_from([Product.INTRADAY, Product.DELIVERY if share else Product.CARRY_FORWARD])),
        price=draw(AMOUNTS) if order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        trigger_price=draw(AMOUNTS) if order_type in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET) else None,
        option=draw(CONTRACTS) if kind is InstrumentKind.OPTION else None,
        amo_time=draw(st.sampled_from(AmoTime)),
        validity=draw(st.sampled_from(Validity)) if order_type in (OrderType.LIMIT, OrderType.MARKET) else Validity.DAY,
    )


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    positions = sorted(draw(st.sets(st.integers(0, 9999), min_size=1, max_size=20)))
    moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
    return Alert(
        legs=tuple(draw(legs(position)) for position in positions),
        fired_at=draw(st.none() | moments),
        interval=draw(st.none() | st.sampled_from(["1", "15", "240", "1D", "W"])),
    )


ORDER_TYPES = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP_LIMIT: "SL",
    OrderType.STOP_MARKET: "SL-M",
}
INSTRUMENTS = {InstrumentKind.EQUITY: "EQ", InstrumentKind.FUTURE: "FUT", InstrumentKind.OPTION: "OPT"}
PRODUCTS = {Product.INTRADAY: "I", Product.DELIVERY: "C", Product.CARRY_FORWARD: "M"}


def as_dhan_writes(leg: Leg) -> dict[str, Any]:
    written = {
        "transactionType": leg.side[0],
        "orderType": ORDER_TYPES[leg.order_type],
        "quantity": str(leg.quantity),
        "exchange": leg.exchange,
        "symbol": leg.symbol,
        "instrument": INSTRUMENTS[leg.kind],
        "productType": PRODUCTS[leg.product],
        "sort_order": str(leg.position),
        "price": f"{leg.price or 0:f}",
        "amoTime": leg.amo_time,
        "validity": leg.validity,
    }
    if leg.trigger_price is not None:
        written["triggerPrice"] = f"{leg.trigger_price:f}"
    if leg.option is not None:
        written["option_type"] = leg.option.option_type
        written["strike_price"] = f"{leg.option.strike:f}"
        written["expiry_date"] = leg.option.expiry.isoformat()
    return written


@given(alerts(), st.booleans())
def test_an_alert_written_as_dhan_writes_it_is_read_as_the_same_alert(alert: Alert, backwards: bool) -> None:
    order_legs = [as_dhan_writes(leg) for leg in alert.legs]
    order_legs[0]["meta"] = {
        "interval": alert.interval,
        "timenow": alert.fired_at.isoformat().replace("+00:00", "Z") if alert.fired_at else None,
    }
    written = {
        "secret": "aB3xK",
        "alertType": "multi_leg_order",
        "order_legs": order_legs[::-1] if backwards else order_legs,
    }
    body = json.dumps(written).encode()

    fields = read_alert_text(body)

    assert secret_in(fields) == "aB3xK"
    assert parse_alert(fields) == alert
    assert parse_alert(read_alert_text(without_secret(body).encode())) == alert
