"""Amounts in the chat and on the pages."""

from decimal import Decimal

import pytest

from core.domain.money import grouped, quoted, rupees


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "₹0.00"),
        ("999.9", "₹999.90"),
        ("1418.8", "₹1,418.80"),
        ("99999", "₹99,999.00"),
        ("250000", "₹2,50,000.00"),
        ("992233.55", "₹9,92,233.55"),
        ("1000000", "₹10,00,000.00"),
        ("123456789.01", "₹12,34,56,789.01"),
        ("-123", "₹-123.00"),
        ("-1234567", "₹-12,34,567.00"),
    ],
)
def test_money_is_grouped_in_lakhs_and_crores(amount: str, written: str) -> None:
    assert rupees(Decimal(amount)) == written


def test_the_digits_behind_the_point_are_left_alone() -> None:
    assert grouped("1234567.123456") == "12,34,567.123456"


@pytest.mark.parametrize(
    ("price", "written"),
    [
        ("89.1025", "₹89.1025"),
        ("89.105", "₹89.105"),
        ("1418.8", "₹1,418.80"),
        ("1418.8000", "₹1,418.80"),
        ("250000", "₹2,50,000.00"),
        ("1402.333333", "₹1,402.3333"),
    ],
)
def test_a_price_has_all_the_digits_of_its_market(price: str, written: str) -> None:
    assert quoted(Decimal(price)) == written
