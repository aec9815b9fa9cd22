"""The chart's price in an alert: what a move is measured from, never what is sent."""

from decimal import Decimal
from typing import Any

import pytest

from core.alerts.parse import parse_alert
from tests.unit.alerts.alert_samples import OPTION, SHARE, message

LIMIT = SHARE | {"orderType": "LMT", "price": "1400"}
STOP = SHARE | {"orderType": "SL", "price": "1405", "triggerPrice": "1404"}


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        (message(SHARE), None),
        (message(SHARE | {"close": "1412.5"}), "1412.5"),
        (message(SHARE | {"close": 1412.5}), "1412.5"),
        (message(SHARE | {"meta": {"close": "1412.5"}}), "1412.5"),
        (message(SHARE, close="1412.5"), "1412.5"),
        (message(SHARE, meta={"close": "1412.5"}), "1412.5"),
        (message(SHARE | {"price": "1412.5"}), "1412.5"),
        (message(SHARE | {"price": "0"}), None),
        (message(LIMIT), None),
        (message(LIMIT | {"close": "1412.5"}), "1412.5"),
        (message(STOP), None),
    ],
)
def test_the_charts_price_is_read_where_the_alert_says_it(fields: dict[str, Any], price: str | None) -> None:
    [leg] = parse_alert(fields).legs
    assert leg.alert_price == (None if price is None else Decimal(price))


def test_the_charts_price_is_nobodys_among_several_legs() -> None:
    legs = parse_alert(message(SHARE | {"sort_order": "1"}, SHARE | {"sort_order": "2"}, close="1412.5")).legs
    assert [leg.alert_price for leg in legs] == [None, None]


def test_an_option_does_not_take_the_price_of_its_underlyings_chart() -> None:
    [leg] = parse_alert(message(OPTION, close="25900")).legs
    assert leg.alert_price is None


@pytest.mark.parametrize("close", ["{{close}}", "NaN", "a lot", "-5", "1e3", [], True])
def test_a_price_that_cannot_be_read_is_remarked_and_refuses_nothing(close: Any) -> None:
    alert = parse_alert(message(SHARE | {"meta": {"close": close}}))
    assert alert.legs[0].alert_price is None
    assert not close or any("close is" in remark and "is not used" in remark for remark in alert.remarks)


def test_a_price_that_a_market_order_does_not_need_is_said_to_be_no_limit() -> None:
    assert parse_alert(message(SHARE | {"price": "1500"})).remarks == (
        "Leg 1: price 1500 has no effect on a market order but to measure moves from.",
    )
