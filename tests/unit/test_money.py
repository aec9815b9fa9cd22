"""Amounts in the chat and on the pages."""

from decimal import Decimal

import pytest

from core.domain.money import grouped, rupees


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
