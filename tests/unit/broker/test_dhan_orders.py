"""The body of an order request, and an entry of the order book, in Dhan's words and in ours."""

import json
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker.dhan.mapping import change_body, order_body, read_order, sum_fills
from core.broker.port import BrokerState, ChangeRequest, OrderRequest, PastFill
from core.domain.alert import AmoTime, OrderType, Product, Side, Validity
from core.domain.instrument import Segment
from core.errors import BrokerUnavailable

CLIENT_ID = "1106500417"
LIMIT_ORDER: dict[str, Any] = {
    "correlation_id": "MUABCDEFGHIJKLMNOPQR",
    "side": Side.BUY,
    "segment": Segment.NSE_EQ,
    "security_id": "2885",
    "product": Product.INTRADAY,
    "order_type": OrderType.LIMIT,
    "quantity": 10,
    "price": Decimal("1412.5"),
    "trigger_price": None,
    "amo_time": None,
}
HEALTHY: dict[str, Any] = {
    "dhanClientId": CLIENT_ID,
    "orderId": "5226112400317",
    "exchangeOrderId": "1100000029384756",
    "correlationId": "MUABCDEFGHIJKLMNOPQR",
    "orderStatus": "PENDING",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_EQ",
    "productType": "INTRADAY",
    "orderType": "LIMIT",
    "validity": "DAY",
    "tradingSymbol": "RELIANCE",
    "securityId": "2885",
    "quantity": 10,
    "price": 1412.5,
    "afterMarketOrder": False,
    "omsErrorCode": "0",
    "omsErrorDescription": "CONFIRMED",
    "remainingQuantity": 10,
    "averageTradedPrice": 0.0,
    "filledQty": 0,
}


def body_of(**changes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(order_body(CLIENT_ID, OrderRequest(**(LIMIT_ORDER | changes))), default=float))


def test_a_limit_order_is_asked_for_with_typed_numbers_and_nothing_unused() -> None:
    assert body_of() == {
        "dhanClientId": CLIENT_ID,
        "correlationId": "MUABCDEFGHIJKLMNOPQR",
        "transactionType": "BUY",
        "exchangeSegment": "NSE_EQ",
        "productType": "INTRADAY",
        "orderType": "LIMIT",
        "validity": "DAY",
        "securityId": "2885",
        "quantity": 10,
        "disclosedQuantity": 0,
        "price": 1412.5,
        "triggerPrice": 0.0,
        "afterMarketOrder": False,
    }


def test_a_market_order_has_price_zero() -> None:
    body = body_of(order_type=OrderType.MARKET, price=None)
    assert (body["orderType"], body["price"], body["triggerPrice"]) == ("MARKET", 0, 0)


def test_a_stop_order_carries_its_trigger() -> None:
    body = body_of(order_type=OrderType.STOP_LIMIT, trigger_price=Decimal("1410.05"))
    assert (body["orderType"], body["price"], body["triggerPrice"]) == ("STOP_LOSS", 1412.5, 1410.05)


DHANS_WORDS: dict[type[StrEnum], dict[Any, str]] = {
    Side: {Side.BUY: "BUY", Side.SELL: "SELL"},
    Product: {
        Product.DELIVERY: "CNC",
        Product.INTRADAY: "INTRADAY",
        Product.CARRY_FORWARD: "MARGIN",
        Product.MARGIN_FUNDED: "MTF",
    },
    OrderType: {
        OrderType.MARKET: "MARKET",
        OrderType.LIMIT: "LIMIT",
        OrderType.STOP_LIMIT: "STOP_LOSS",
        OrderType.STOP_MARKET: "STOP_LOSS_MARKET",
    },
    Validity: {Validity.DAY: "DAY", Validity.IOC: "IOC"},
    AmoTime: {
        AmoTime.PRE_OPEN: "PRE_OPEN",
        AmoTime.OPEN: "OPEN",
        AmoTime.OPEN_30: "OPEN_30",
        AmoTime.OPEN_60: "OPEN_60",
    },
}
"""As they are printed in Dhan API v2 docs, Annexure, and Orders."""


@pytest.mark.parametrize("ours", DHANS_WORDS)
def test_nothing_of_ours_is_without_a_word_of_dhans(ours: type[StrEnum]) -> None:
    assert set(DHANS_WORDS[ours]) == set(ours)


@pytest.mark.parametrize(("side", "word"), DHANS_WORDS[Side].items())
def test_every_side_has_dhans_word(side: Side, word: str) -> None:
    assert body_of(side=side)["transactionType"] == word


@pytest.mark.parametrize(("order_type", "word"), DHANS_WORDS[OrderType].items())
def test_every_order_type_has_dhans_word_in_an_order_and_in_a_change(order_type: OrderType, word: str) -> None:
    terms = {"quantity": 5, "price": Decimal(1400), "trigger_price": None}
    change = ChangeRequest(order_id="5226112400317", order_type=order_type, **terms)
    assert [body_of(order_type=order_type)["orderType"], change_body(CLIENT_ID, change)["orderType"]] == [word, word]


@pytest.mark.parametrize(("validity", "word"), DHANS_WORDS[Validity].items())
def test_an_order_and_a_change_of_it_say_how_long_it_lasts(validity: Validity, word: str) -> None:
    terms = {"order_type": OrderType.LIMIT, "quantity": 5, "price": Decimal(1400), "trigger_price": None}
    change = ChangeRequest(order_id="5226112400317", validity=validity, **terms)
    said = [body_of(validity=validity)["validity"], change_body(CLIENT_ID, change)["validity"]]
    assert said == [word, word]


@pytest.mark.parametrize(("amo_time", "word"), DHANS_WORDS[AmoTime].items())
def test_an_after_market_order_says_so_and_says_when(amo_time: AmoTime, word: str) -> None:
    body = body_of(amo_time=amo_time)
    assert (body["afterMarketOrder"], body["amoTime"]) == (True, word)


@pytest.mark.parametrize(("product", "word"), DHANS_WORDS[Product].items())
def test_every_product_has_dhans_word_and_is_read_by_it(product: Product, word: str) -> None:
    assert body_of(product=product)["productType"] == word
    order = read_order(HEALTHY | {"productType": word})
    assert order is not None
    assert order.product is product


@given(st.decimals(min_value="0.01", max_value="999999.95", places=2))
def test_a_price_leaves_exactly_as_it_was_given(price: Decimal) -> None:
    sent = json.dumps(order_body(CLIENT_ID, replace(OrderRequest(**LIMIT_ORDER), price=price)), default=float)
    assert json.loads(sent, parse_float=Decimal)["price"] == price


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("TRANSIT", BrokerState.RECEIVED),
        ("PENDING", BrokerState.WORKING),
        ("PART_TRADED", BrokerState.PART_FILLED),
        ("TRADED", BrokerState.FILLED),
        ("Traded", BrokerState.FILLED),
        ("REJECTED", BrokerState.REJECTED),
        ("CANCELLED", BrokerState.CANCELLED),
        ("EXPIRED", BrokerState.LAPSED),
        ("MODIFIED", BrokerState.OTHER),
        ("A_WORD_OF_NEXT_YEAR", BrokerState.OTHER),
    ],
)
def test_every_status_has_its_state_and_an_unknown_one_is_no_ending(status: str, state: BrokerState) -> None:
    order = read_order(HEALTHY | {"orderStatus": status})
    assert order is not None
    assert order.state is state


@pytest.mark.parametrize("nothing", [None, "", "NA", "0", "0001-01-01", "CONFIRMED"])
def test_every_way_to_say_nothing_is_no_text(nothing: str | None) -> None:
    order = read_order(HEALTHY | {"omsErrorDescription": nothing, "correlationId": nothing})
    assert order is not None
    assert (order.words, order.correlation_id) == ("", "")


@pytest.mark.parametrize("odd", ["\ud800", "\x00"])
def test_what_no_database_can_hold_does_not_come_further(odd: str) -> None:
    order = read_order(HEALTHY | {"omsErrorDescription": f"RMS:{odd} margin ₹", "correlationId": odd})
    assert order is not None
    assert (order.words, order.correlation_id) == ("RMS:\ufffd margin ₹", "\ufffd")


def test_an_entry_is_read_in_our_words() -> None:
    order = read_order(HEALTHY | {"filledQty": 4, "averageTradedPrice": Decimal("1412.35"), "afterMarketOrder": True})
    assert order is not None
    assert (order.side, order.product, order.segment, order.security_id) == (
        Side.BUY,
        Product.INTRADAY,
        "NSE_EQ",
        "2885",
    )
    assert (order.quantity, order.filled_quantity, order.average_price) == (10, 4, Decimal("1412.35"))
    assert order.is_amo


@pytest.mark.parametrize("nothing", [0, 0.0, None, "", "NA", "0", "0.0"])
def test_every_way_to_say_nothing_is_no_price_and_no_fill(nothing: Any) -> None:
    prices = dict.fromkeys(("averageTradedPrice", "price", "triggerPrice"), nothing)
    order = read_order(HEALTHY | prices | {"filledQty": nothing, "filled_qty": nothing})
    assert order is not None
    assert (order.average_price, order.price, order.trigger_price, order.filled_quantity) == (None, None, None, 0)


@pytest.mark.parametrize("ten", [10, 10.0, "10", "10.0", Decimal("10.00")])
def test_whole_numbers_are_units_however_they_are_written(ten: Any) -> None:
    order = read_order(HEALTHY | {"quantity": ten, "filledQty": ten, "price": "1412.50"})
    assert order is not None
    assert (order.quantity, order.filled_quantity, order.price) == (10, 10, Decimal("1412.5"))


def test_the_postbacks_spelling_of_the_filled_quantity_is_understood() -> None:
    order = read_order({name: value for name, value in HEALTHY.items() if name != "filledQty"} | {"filled_qty": 10})
    assert order is not None
    assert order.filled_quantity == 10


@pytest.mark.parametrize("nothing", [None, 0, "", "NA"])
def test_an_empty_filled_quantity_leaves_the_other_spelling_to_say_it(nothing: Any) -> None:
    order = read_order(HEALTHY | {"filledQty": nothing, "filled_qty": 4})
    assert order is not None
    assert order.filled_quantity == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"orderId": "NA"},
        {"orderStatus": None},
        {"quantity": None},
        {"quantity": "NA"},
        {"quantity": "ten"},
        {"quantity": 10.5},
        {"filledQty": "4.5"},
        {"filledQty": "some"},
        {"averageTradedPrice": "much"},
    ],
)
def test_an_entry_that_cannot_be_read_is_not_guessed_at(changes: dict[str, Any]) -> None:
    assert read_order(HEALTHY | changes) is None


@pytest.mark.parametrize("name", ["quantity", "filledQty", "averageTradedPrice", "price"])
@pytest.mark.parametrize("number", [float("inf"), float("nan"), Decimal("1E+400"), 10**30])
def test_a_number_that_no_order_can_have_is_unreadable_like_any_other(name: str, number: Any) -> None:
    assert read_order(HEALTHY | {name: number}) is None


@pytest.mark.parametrize("name", ["quantity", "filledQty"])
def test_a_negative_quantity_is_unreadable(name: str) -> None:
    assert read_order(HEALTHY | {name: -1}) is None


def test_words_for_side_and_product_that_nobody_knows_match_no_order_of_ours() -> None:
    order = read_order(HEALTHY | {"transactionType": "SHORT", "productType": "CO"})
    assert order is not None
    assert (order.side, order.product) == (None, None)


def trade(order_id: str, quantity: Any, price: Any) -> dict[str, Any]:
    return {"orderId": order_id, "tradedQuantity": quantity, "tradedPrice": price}


def test_fills_of_one_order_add_up_to_their_weighted_average() -> None:
    fills = sum_fills([trade("1", 3, 100.0), trade("2", 5, 7.0), trade("1", 1, 102.0)])
    assert fills == {
        "1": PastFill(quantity=4, average_price=Decimal("100.50")),
        "2": PastFill(quantity=5, average_price=Decimal("7.00")),
    }


@pytest.mark.parametrize(
    "row",
    [
        trade("1", None, 100.0),
        trade("1", 3, "NA"),
        trade("1", 3, None),
        trade("1", float("inf"), 100.0),
        trade("1", 3, Decimal("1E+400")),
        {"orderId": "1"},
    ],
)
def test_a_fill_that_cannot_be_read_makes_the_history_no_evidence(row: dict[str, Any]) -> None:
    with pytest.raises(BrokerUnavailable):
        sum_fills([row])


def test_a_fill_of_nothing_breaks_no_average() -> None:
    assert sum_fills([trade("1", 0, 5.0), trade("2", 1, 5.0)])["2"].quantity == 1
