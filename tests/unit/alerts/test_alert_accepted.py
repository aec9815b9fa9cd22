from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from alert_samples import FUTURE, MOMENT, OPTION, SHARE, Gone, body, changed, message

from core.alerts.parse import parse_alert, read_alert_text
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
    Segment,
    Side,
    Validity,
)

SHARE_LEG = Leg(
    position=1,
    side=Side.BUY,
    order_type=OrderType.MARKET,
    quantity=10,
    exchange=Exchange.NSE,
    symbol="RELIANCE",
    kind=InstrumentKind.EQUITY,
    product=Product.INTRADAY,
)
FUTURE_LEG = replace(SHARE_LEG, symbol="NIFTY1!", kind=InstrumentKind.FUTURE, quantity=1, product=Product.CARRY_FORWARD)
CALL = OptionContract(option_type=OptionType.CALL, strike=Decimal(26000), expiry=date(2026, 12, 1))
OPTION_LEG = replace(FUTURE_LEG, symbol="NIFTY", kind=InstrumentKind.OPTION, option=CALL)
LIMIT_LEG = replace(SHARE_LEG, order_type=OrderType.LIMIT, price=Decimal("1500.05"))
STOP_LIMIT_LEG = replace(LIMIT_LEG, order_type=OrderType.STOP_LIMIT, trigger_price=Decimal(1499))
STOP_MARKET_LEG = replace(SHARE_LEG, order_type=OrderType.STOP_MARKET, trigger_price=Decimal(1499))
DELIVERY_LEG = replace(SHARE_LEG, product=Product.DELIVERY)
FIRED = datetime(2026, 11, 25, 4, 1, tzinfo=UTC)


def leg(**changes: Any) -> dict[str, Any]:
    return changed(SHARE, **changes)


def option(**changes: Any) -> dict[str, Any]:
    return changed(OPTION, **changes)


NO_CONTRACT = {"option_type": Gone, "strike_price": Gone, "expiry_date": Gone}
SNAKE = {
    "transaction_type": "buy",
    "order_type": "market",
    "quantity": 10,
    "exchange": "nse",
    "symbol": "reliance",
    "instrument": "eq",
    "product_type": "intraday",
}

SAME_ORDER: dict[str, tuple[dict[str, Any], Leg]] = {
    "Dhan's share": (SHARE, SHARE_LEG),
    "Dhan's future": (FUTURE, FUTURE_LEG),
    "Dhan's option": (OPTION, OPTION_LEG),
    "snake_case, lower case, long forms, no price and sort_order": (SNAKE, SHARE_LEG),
    "quantity as a number": (leg(quantity=10), SHARE_LEG),
    "quantity as whole decimal text": (leg(quantity="10.0"), SHARE_LEG),
    "quantity as whole decimal number": (leg(quantity=Decimal("10.0")), SHARE_LEG),
    "largest quantity": (leg(quantity="10000000"), replace(SHARE_LEG, quantity=10_000_000)),
    "qty for quantity": (leg(quantity=Gone, qty="10"), SHARE_LEG),
    "sell": (leg(transactionType="sell"), replace(SHARE_LEG, side=Side.SELL)),
    "S": (leg(transactionType="S"), replace(SHARE_LEG, side=Side.SELL)),
    "price null": (leg(price=None), SHARE_LEG),
    "price empty": (leg(price=""), SHARE_LEG),
    "price 0.000000": (leg(price="0.000000"), SHARE_LEG),
    "limit with zeros at the end": (leg(orderType="LMT", price="1500.050000"), LIMIT_LEG),
    "limit": (leg(orderType="LMT", price="1500.05"), LIMIT_LEG),
    "limit as number": (leg(orderType="Limit", price=Decimal("1500.05")), LIMIT_LEG),
    "stop limit": (leg(orderType="SL", price="1500.05", triggerPrice="1499"), STOP_LIMIT_LEG),
    "stop market": (leg(orderType="SL-M", trigger_price=1499), STOP_MARKET_LEG),
    "trigger zero on a market order": (leg(triggerPrice="0"), SHARE_LEG),
    "delivery": (leg(productType="C"), DELIVERY_LEG),
    "CNC": (leg(productType="cnc"), DELIVERY_LEG),
    "margin funded": (leg(productType="mtf"), replace(DELIVERY_LEG, product=Product.MARGIN_FUNDED)),
    "NSE_EQ": (leg(exchange="NSE_EQ"), replace(SHARE_LEG, segment=Segment.NSE_EQ)),
    "BSE": (leg(exchange="BSE"), replace(SHARE_LEG, exchange=Exchange.BSE)),
    "a future on NSE": (changed(FUTURE, exchange="NSE"), FUTURE_LEG),
    "an option on NSE": (option(exchange="NSE"), OPTION_LEG),
    "NFO": (option(exchange="NFO"), replace(OPTION_LEG, segment=Segment.NSE_FNO)),
    "NFO in lower case": (changed(FUTURE, exchange="nfo"), replace(FUTURE_LEG, segment=Segment.NSE_FNO)),
    "NSE_FNO": (changed(FUTURE, exchange="NSE_FNO"), replace(FUTURE_LEG, segment=Segment.NSE_FNO)),
    "CDS": (
        changed(FUTURE, exchange="CDS", symbol="USDINR1!"),
        replace(FUTURE_LEG, symbol="USDINR1!", segment=Segment.NSE_CURRENCY),
    ),
    "BFO": (
        option(exchange="BFO", symbol="SENSEX"),
        replace(OPTION_LEG, exchange=Exchange.BSE, symbol="SENSEX", segment=Segment.BSE_FNO),
    ),
    "MCX": (
        changed(FUTURE, exchange="MCX", symbol="CRUDEOIL2!"),
        replace(FUTURE_LEG, exchange=Exchange.MCX, symbol="CRUDEOIL2!"),
    ),
    "signs in a ticker": (leg(symbol="M&M"), replace(SHARE_LEG, symbol="M&M")),
    "hyphen that is no series": (leg(symbol="BAJAJ-AUTO"), replace(SHARE_LEG, symbol="BAJAJ-AUTO")),
    "underscore as TradingView writes it": (leg(symbol="M_M"), replace(SHARE_LEG, symbol="M_M")),
    "ticker for symbol": (leg(symbol=Gone, ticker="RELIANCE"), SHARE_LEG),
    "symbol and the same ticker": (leg(ticker="RELIANCE"), SHARE_LEG),
    "an index is left to resolution": (leg(symbol="BANKNIFTY"), replace(SHARE_LEG, symbol="BANKNIFTY")),
    "future without instrument": (changed(FUTURE, instrument=Gone), FUTURE_LEG),
    "option without instrument": (option(instrument=Gone), OPTION_LEG),
    "whole option symbol": (option(symbol="NIFTY261201C26000", **NO_CONTRACT), OPTION_LEG),
    "whole option symbol alone": (option(symbol="nifty261201c26000", instrument=Gone, **NO_CONTRACT), OPTION_LEG),
    "whole option symbol as ticker": (
        option(symbol=Gone, ticker="NIFTY261201C26000.0", strike_price="NaN", option_type=None, expiry_date=""),
        OPTION_LEG,
    ),
    "whole option symbol and the same contract": (option(symbol="NIFTY261201C26000"), OPTION_LEG),
    "whole option symbol and a part of the contract": (
        option(symbol="NIFTY261201C26000", strike_price=Gone, expiry_date=Gone),
        OPTION_LEG,
    ),
    "strike as a number": (option(strike_price=26000), OPTION_LEG),
    "put": (
        option(option_type="put", strike_price="62.5"),
        replace(OPTION_LEG, option=replace(CALL, option_type=OptionType.PUT, strike=Decimal("62.5"))),
    ),
    "unused option fields": (leg(option_type="", strike_price="0", expiry_date=None), SHARE_LEG),
    "amoTime": (leg(amoTime="PRE_OPEN"), replace(SHARE_LEG, amo_time=AmoTime.PRE_OPEN)),
    "amo_time in lower case": (leg(amo_time="open_60"), replace(SHARE_LEG, amo_time=AmoTime.OPEN_60)),
    "validity DAY": (leg(validity="DAY"), SHARE_LEG),
    "an empty validity": (leg(validity=""), SHARE_LEG),
    "validity IOC": (leg(validity="IOC"), replace(SHARE_LEG, validity=Validity.IOC)),
    "validity in lower case": (leg(validity="ioc"), replace(SHARE_LEG, validity=Validity.IOC)),
    "sort_order as whole decimal": (leg(sort_order="3.0"), replace(SHARE_LEG, position=3)),
}


@pytest.mark.parametrize(("written", "meant"), SAME_ORDER.values(), ids=SAME_ORDER.keys())
def test_every_spelling_is_read_as_the_order_it_means(written: dict[str, Any], meant: Leg) -> None:
    assert parse_alert(message(written)).legs == (meant,)


def test_dhans_own_message_leaves_nothing_to_remark() -> None:
    alert = parse_alert(read_alert_text(body(SHARE | {"meta": MOMENT})))

    assert alert == Alert(legs=(SHARE_LEG,), fired_at=FIRED, interval="15", remarks=())


@pytest.mark.parametrize(("at_root", "in_the_leg"), [("NFO", "NFO"), ("NFO", "NSE_FNO"), ("NSE", "NFO")])
def test_an_order_that_is_written_twice_keeps_the_segment_that_it_names(at_root: str, in_the_leg: str) -> None:
    twice = message(changed(FUTURE, exchange=in_the_leg), **changed(FUTURE, exchange=at_root, sort_order=Gone))
    assert parse_alert(twice).legs == (replace(FUTURE_LEG, segment=Segment.NSE_FNO),)


REMARKS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "delayed exchange": (message(leg(exchange="NSE_DLY")), ["NSE_DLY", "delayed"]),
    "series in the symbol": (message(leg(symbol="RELIANCE-EQ")), ["RELIANCE-EQ", "share RELIANCE."]),
    "series without instrument": (message(leg(symbol="RELIANCE-EQ", instrument=Gone)), ["share RELIANCE."]),
    "target and stop": (message(leg(target="20", stopLoss=10)), ["not honoured", "'target', 'stopLoss'"]),
    "root wishes": (message(SHARE, manage_position=True, delay=1), ["not honoured", "'manage_position', 'delay'"]),
    "unknown key": (message(leg(approved=True)), ["Leg 1: unknown and without effect: 'approved'"]),
    "placeholder in an unknown key": (message(leg(note="{{close}}")), ["'note'"]),
    "key in other letters": (message(SHARE | {"pric\u0435": "1"}), ["unknown", r"'pric\u0435'"]),
    "key with a Kelvin sign": (message(SHARE | {"tic\u212aer": "TCS"}), ["unknown", r"'tic\u212aer'"]),
    "no alertType": (message(SHARE, alertType=Gone), ["alertType is missing"]),
    "a price beside the legs": (message(SHARE, price="1500"), ["outside of order_legs and without effect: price"]),
    "meta as text": (message(leg(meta="15")), ["meta is '15'"]),
}


@pytest.mark.parametrize(("fields", "words"), REMARKS.values(), ids=REMARKS.keys())
def test_what_is_tolerated_or_has_no_effect_is_remarked(fields: dict[str, Any], words: list[str]) -> None:
    alert = parse_alert(fields)

    assert alert.legs == (SHARE_LEG,)
    assert len(alert.remarks) == 1
    assert all(word in alert.remarks[0] for word in words), alert.remarks


def test_many_unknown_keys_are_counted_and_not_listed() -> None:
    (remark,) = parse_alert(message(leg(**{f"extra{number}": 1 for number in range(500)}))).remarks

    assert "'extra5' and 494 more" in remark


SINGLE = changed(SHARE, sort_order=Gone)


@pytest.mark.parametrize(
    "fields",
    [
        changed(SINGLE, secret="aB3xK", alertType="single_order"),
        message(alertType="single_order", order_legs=[], **SINGLE),
        message(SHARE, alertType="single_order", **SINGLE),
        message(SNAKE, transactionType="BUY", quantity=10, symbol="RELIANCE"),
    ],
    ids=["at the root only", "beside an empty list", "at the root and as a leg", "partly at the root"],
)
def test_an_order_at_the_root_is_one_order_however_often_it_is_written(fields: dict[str, Any]) -> None:
    assert parse_alert(fields).legs == (SHARE_LEG,)


def test_legs_come_in_their_sort_order_or_in_the_order_of_the_list() -> None:
    second, first = leg(sort_order="2", symbol="TCS"), leg(sort_order="1", symbol="INFY")
    unsorted = [leg(sort_order=Gone, symbol=symbol) for symbol in ("TCS", "INFY")]

    assert [(one.position, one.symbol) for one in parse_alert(message(second, first)).legs] == [
        (1, "INFY"),
        (2, "TCS"),
    ]
    assert [(one.position, one.symbol) for one in parse_alert(message(*unsorted)).legs] == [(1, "TCS"), (2, "INFY")]


def test_validity_at_the_root_holds_for_the_legs_that_name_none() -> None:
    alert = parse_alert(message(SHARE, leg(sort_order="2", validity="DAY"), validity="IOC"))

    assert [one.validity for one in alert.legs] == [Validity.IOC, Validity.DAY]
    assert alert.remarks == ()


def test_amo_time_at_the_root_holds_for_the_legs_that_name_none() -> None:
    alert = parse_alert(message(SHARE, leg(sort_order="2", amoTime="OPEN"), amoTime="PRE_OPEN"))

    assert [one.amo_time for one in alert.legs] == [AmoTime.PRE_OPEN, AmoTime.OPEN]


MOMENTS = {
    "2026-11-25T04:01:00Z": FIRED,
    "2026-11-25T09:31:00+05:30": FIRED,
    "2026-11-25T09:31:00+0530": FIRED,
    "2026-11-25T04:01:00.250Z": FIRED.replace(microsecond=250_000),
    "2026-11-25T04:01:00.250000123Z": FIRED.replace(microsecond=250_000),
}


@pytest.mark.parametrize(("written", "meant"), MOMENTS.items())
def test_timenow_is_the_moment_of_firing_in_utc(written: str, meant: datetime) -> None:
    for fields in (
        message(leg(meta={"timenow": written})),
        message(SHARE, meta={"timenow": written}),
        message(SHARE, timenow=written),
    ):
        alert = parse_alert(fields)
        assert (alert.fired_at, alert.remarks) == (meant, ())
        assert alert.fired_at is not None
        assert alert.fired_at.tzinfo is UTC


def test_timenow_without_a_zone_is_utc_and_remarked() -> None:
    alert = parse_alert(message(SHARE, timenow="2026-11-25T04:01:00"))

    assert alert.fired_at == FIRED
    assert "UTC" in alert.remarks[0]


def test_placeholders_that_stayed_literal_in_meta_only_cost_the_firing_time() -> None:
    alert = parse_alert(message(leg(meta={name: f"{{{{{name}}}}}" for name in MOMENT})))

    assert (alert.legs, alert.fired_at, alert.interval) == ((SHARE_LEG,), None, None)
    assert "not filled" in alert.remarks[0]


@pytest.mark.parametrize("around", [b"%s", b"\xef\xbb\xbf%s", b"\r\n %s \n"], ids=["plain", "BOM", "line breaks"])
def test_what_stands_around_the_text_does_not_matter(around: bytes) -> None:
    assert parse_alert(read_alert_text(around % body(SHARE))).legs == (SHARE_LEG,)
