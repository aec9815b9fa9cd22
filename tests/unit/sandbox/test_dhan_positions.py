"""The stand-in's positions over days, as Dhan's fields tell them (Dhan API v2, Portfolio)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.sandbox.dhan.account import OPENING_BALANCE
from core.sandbox.dhan.instruments import listed_on
from core.sandbox.dhan.order import Product, Side
from tests.unit.sandbox.trader import Trader

TUESDAY, WEDNESDAY, THURSDAY = date(2026, 12, 1), date(2026, 12, 2), date(2026, 12, 3)
BUY, SELL = Side.BUY, Side.SELL
FUTURE = next(
    security
    for security in listed_on(TUESDAY).values()
    if security.kind == "FUTIDX" and security.underlying == "NIFTY" and security.expiry_code == 0
)
MARGIN_SHARE = Decimal("0.2")


@pytest.fixture
def trader() -> Trader:
    return Trader(FUTURE, Product.MARGIN)


def parts(row: dict[str, Any], *names: str) -> list[Any]:
    return [row[name] for name in names]


def test_a_position_that_was_flat_starts_anew_the_next_day(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 65, "26174.00")
    trader.trade(TUESDAY, SELL, 65, "26144.60")
    assert parts(trader.position(TUESDAY), "netQty", "realizedProfit") == [0, -1911.0]
    trader.trade(WEDNESDAY, BUY, 65, "26081.50")
    row = trader.position(WEDNESDAY)
    assert parts(row, "netQty", "costPrice", "buyAvg", "realizedProfit") == [65, 26081.5, 26081.5, 0.0]
    assert parts(row, "buyQty", "sellQty", "sellAvg", "dayBuyQty", "daySellQty") == [65, 0, 0.0, 65, 0]
    assert parts(trader.position(THURSDAY), "netQty", "costPrice", "realizedProfit") == [65, 26081.5, 0.0]


def test_what_a_position_had_realised_stays_with_its_day(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 130, "26000")
    trader.trade(TUESDAY, SELL, 65, "26100")
    assert trader.position(TUESDAY)["realizedProfit"] == 6500.0
    assert parts(trader.position(WEDNESDAY), "netQty", "costPrice", "realizedProfit") == [65, 26000.0, 0.0]
    trader.trade(THURSDAY, SELL, 65, "26010")
    assert parts(trader.position(THURSDAY), "positionType", "netQty", "realizedProfit") == ["CLOSED", 0, 650.0]


def test_a_carried_position_tells_what_came_into_the_day_and_what_the_day_added(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 65, "26000")
    trader.trade(WEDNESDAY, BUY, 65, "26100")
    row = trader.position(WEDNESDAY)
    assert parts(row, "carryForwardBuyQty", "carryForwardBuyValue") == [65, 1690000.0]
    assert parts(row, "dayBuyQty", "dayBuyValue") == [65, 1696500.0]
    assert parts(row, "buyQty", "buyAvg", "costPrice", "netQty") == [130, 26050.0, 26050.0, 130]
    assert parts(row, "carryForwardSellQty", "carryForwardSellValue", "daySellQty") == [0, 0.0, 0]


def test_a_carried_short_position_is_bought_back_at_a_profit_of_that_day(trader: Trader) -> None:
    trader.trade(TUESDAY, SELL, 65, "26100")
    row = trader.position(WEDNESDAY)
    assert parts(row, "positionType", "carryForwardSellQty", "carryForwardSellValue") == ["SHORT", 65, 1696500.0]
    assert parts(row, "sellQty", "sellAvg", "costPrice", "netQty") == [65, 26100.0, 26100.0, -65]
    trader.trade(WEDNESDAY, BUY, 65, "26000")
    assert parts(trader.position(WEDNESDAY), "netQty", "realizedProfit", "unrealizedProfit") == [0, 6500.0, 0.0]


@pytest.mark.parametrize("product", [Product.MARGIN, Product.INTRADAY])
def test_a_position_that_was_flat_starts_anew_within_the_day(product: Product) -> None:
    trader = Trader(FUTURE, product)
    trader.trade(TUESDAY, BUY, 65, "26000")
    trader.trade(TUESDAY, SELL, 65, "26010")
    trader.trade(TUESDAY, BUY, 65, "26100")
    row = trader.position(TUESDAY)
    assert parts(row, "netQty", "costPrice", "realizedProfit") == [65, 26100.0, 650.0]
    assert parts(row, "buyQty", "buyAvg", "sellQty", "sellAvg") == [130, 26050.0, 65, 26010.0]


def test_a_sale_of_more_than_is_held_turns_the_position_at_the_price_of_the_sale(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 65, "26000")
    trader.trade(WEDNESDAY, SELL, 195, "26100")
    row = trader.position(WEDNESDAY)
    assert parts(row, "positionType", "netQty", "costPrice", "realizedProfit") == ["SHORT", -130, 26100.0, 6500.0]


def test_the_money_keeps_the_profits_of_all_days(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 65, "26000")
    trader.trade(TUESDAY, SELL, 65, "26010")
    trader.trade(WEDNESDAY, BUY, 65, "26000")
    trader.trade(THURSDAY, SELL, 65, "26020")
    assert trader.account.cash(THURSDAY) == OPENING_BALANCE + 650 + 1300
    trader.trade(THURSDAY, BUY, 65, "26000")
    assert trader.account.cash(THURSDAY) == OPENING_BALANCE + 650 + 1300 - 65 * 26000 * MARGIN_SHARE


def test_an_expired_contract_can_still_be_told(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 65, "26000")
    assert trader.position(date(2027, 2, 1))["tradingSymbol"] == FUTURE.symbol
