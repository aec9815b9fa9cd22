"""Amounts as India writes them: lakhs and crores, so ₹12,34,567.80."""

import re
from decimal import Decimal

_GROUPS = re.compile(r"(?<=\d)(?=(?:\d\d)*\d{3}$)")


def rupees(amount: Decimal) -> str:
    """With paise, always two digits of them."""
    return f"₹{grouped(f'{amount:.2f}')}"


def quoted(price: Decimal) -> str:
    """With as many digits as a market has: the tick of a currency is ₹0.0025."""
    exact = f"{price:.4f}".rstrip("0")
    return f"₹{grouped(max(exact, f'{price:.2f}', key=len))}"


def grouped(plain: str) -> str:
    """A plain decimal number with commas put into its whole part: the last three digits, then pairs."""
    whole, point, rest = plain.partition(".")
    return _GROUPS.sub(",", whole) + point + rest
