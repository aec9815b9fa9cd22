"""What the stand-in says that held shares cost: first in, first out (Dhan API v2, Portfolio: avgCostPrice)."""

from datetime import date

import pytest

from core.sandbox.dhan.instruments import listed_on
from core.sandbox.dhan.order import Product, Side
from tests.unit.sandbox.trader import Trader

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 12, day) for day in (1, 2, 3, 4))
BUY, SELL = Side.BUY, Side.SELL
INFY = next(one for one in listed_on(TUESDAY).values() if (one.symbol, one.exchange) == ("INFY", "NSE"))


@pytest.fixture
def trader() -> Trader:
    return Trader(INFY, Product.CNC)


def held_at(trader: Trader, day: date) -> tuple[int, float]:
    row = trader.holding(day)
    return row["totalQty"], row["avgCostPrice"]


def test_shares_that_were_sold_do_not_go_into_the_cost_of_those_held(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 1, "1545.90")
    trader.trade(WEDNESDAY, BUY, 2, "1539.80")
    trader.trade(THURSDAY, SELL, 1, "1550.00")
    assert held_at(trader, FRIDAY) == (2, 1539.8)


def test_shares_bought_after_all_were_sold_cost_their_own_price(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 3, "1545.90")
    trader.trade(WEDNESDAY, SELL, 3, "1550.00")
    trader.trade(WEDNESDAY, BUY, 7, "1539.80")
    assert held_at(trader, THURSDAY) == (7, 1539.8)


def test_a_sale_takes_the_oldest_shares_and_part_of_the_next_purchase(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 4, "1500.00")
    trader.trade(TUESDAY, BUY, 4, "1510.00")
    trader.trade(WEDNESDAY, BUY, 2, "1530.00")
    trader.trade(THURSDAY, SELL, 6, "1550.00")
    assert held_at(trader, FRIDAY) == (4, 1520.0)


def test_what_is_bought_or_sold_today_shows_in_the_holdings_tomorrow(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 4, "1500.00")
    trader.trade(WEDNESDAY, BUY, 4, "1600.00")
    trader.trade(WEDNESDAY, SELL, 2, "1600.00")
    assert held_at(trader, WEDNESDAY) == (4, 1500.0)
    assert held_at(trader, THURSDAY) == (6, pytest.approx(1566.67))


def test_shares_that_were_all_sold_are_not_held(trader: Trader) -> None:
    trader.trade(TUESDAY, BUY, 4, "1500.00")
    trader.trade(WEDNESDAY, SELL, 4, "1600.00")
    assert trader.account.holdings(THURSDAY) == []
