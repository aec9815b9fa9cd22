"""Limits: soft ones ask, hard ones refuse, a way out stays open."""

from decimal import Decimal
from typing import Any

import pytest

from core.domain.alert import Product, Side
from core.domain.limits import Bound, Limit, Limits, Usage, Wish, breach, is_exit

LIMITS = Limits(
    bounds={
        Limit.ORDER_VALUE: Bound(soft=Decimal(50_000), hard=Decimal(200_000)),
        Limit.ORDER_QUANTITY: Bound(soft=Decimal(100), hard=Decimal(500)),
        Limit.SYMBOL_VALUE: Bound(soft=None, hard=Decimal(300_000)),
        Limit.DAY_VALUE: Bound(soft=Decimal(400_000), hard=Decimal(1_000_000)),
        Limit.DAY_ORDERS: Bound(soft=Decimal(5), hard=Decimal(10)),
    },
    denied=frozenset({"IDEA", "NIFTY-08DEC2026-26000-CE"}),
)


def judged(usage: Usage | None = None, limits: Limits = LIMITS, **wish: Any) -> bool | None:
    """None: within the limits; else whether the limit is hard."""
    facts = {"symbol": "TCS", "quantity": 10, "value": Decimal(30_000), "is_exit": False}
    found = breach(limits, Wish(**facts | wish), usage or Usage())
    return found and found.is_hard


@pytest.mark.parametrize(
    ("wish", "verdict"),
    [
        ({}, None),
        ({"value": Decimal(50_000)}, None),
        ({"value": Decimal("50000.05")}, False),
        ({"value": Decimal(200_000)}, False),
        ({"value": Decimal("200000.05")}, True),
        ({"quantity": 100}, None),
        ({"quantity": 101}, False),
        ({"quantity": 501}, True),
        ({"symbol": "IDEA"}, True),
        ({"symbol": "NIFTY-08Dec2026-26000-CE"}, True),
    ],
)
def test_one_order_is_held_against_value_quantity_and_symbol(wish: dict[str, Any], verdict: bool | None) -> None:
    assert judged(**wish) is verdict


@pytest.mark.parametrize(
    ("usage", "verdict"),
    [
        (Usage(orders=4), None),
        (Usage(orders=5), False),
        (Usage(orders=10), True),
        (Usage(value=Decimal(370_000)), None),
        (Usage(value=Decimal(370_001)), False),
        (Usage(value=Decimal(970_001)), True),
        (Usage(symbol_value=Decimal(270_001)), True),
    ],
)
def test_the_day_is_counted_together_with_the_order(usage: Usage, verdict: bool | None) -> None:
    assert judged(usage) is verdict


def test_the_worst_breach_speaks() -> None:
    found = breach(LIMITS, Wish(symbol="TCS", quantity=101, value=Decimal(250_000), is_exit=False), Usage())
    assert found
    assert (found.is_hard, found.words) == (
        True,
        "The value of one order would be ₹2,50,000.00, above your hard limit of ₹2,00,000.00.",
    )


def test_rupees_have_two_digits_of_paise_and_counts_have_none() -> None:
    wish = Wish(symbol="TCS", quantity=1_200, value=Decimal("3100.0"), is_exit=False)
    bound = Bound(soft=Decimal(1))
    told = [breach(Limits(bounds={limit: bound}), wish, Usage(orders=1)) for limit in Limit]
    assert [each.words for each in told if each] == [
        "The value of one order would be ₹3,100.00, above your soft limit of ₹1.00.",
        "The quantity of one order would be 1,200, above your soft limit of 1.",
        "The value in one symbol a day would be ₹3,100.00, above your soft limit of ₹1.00.",
        "The value of a day's orders would be ₹3,100.00, above your soft limit of ₹1.00.",
        "The number of orders a day would be 2, above your soft limit of 1.",
    ]


def test_an_order_at_the_market_has_no_value_to_check_and_asks() -> None:
    assert judged(value=None) is False


def test_without_limits_everything_passes() -> None:
    assert judged(limits=Limits(), value=None, quantity=10**9) is None


def test_with_an_allow_list_only_its_symbols_go() -> None:
    allowed = Limits(allowed=frozenset({"TCS"}))
    assert (judged(limits=allowed), judged(limits=allowed, symbol="INFY")) == (None, True)


@pytest.mark.parametrize("wish", [{"quantity": 501}, {"symbol": "IDEA"}, {"value": Decimal(900_000)}])
def test_a_way_out_is_asked_about_and_never_refused(wish: dict[str, Any]) -> None:
    assert judged(is_exit=True, **wish) is False


@pytest.mark.parametrize(
    ("side", "product", "exits"),
    [
        (Side.SELL, Product.DELIVERY, True),
        (Side.BUY, Product.DELIVERY, False),
        (Side.SELL, Product.CARRY_FORWARD, False),
    ],
)
def test_only_the_sale_of_shares_held_is_a_way_out_for_sure(side: Side, product: Product, exits: bool) -> None:
    assert is_exit(side, product) is exits
