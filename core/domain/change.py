"""A change to an order that the broker has: cancelling it, or giving it another price, quantity or trigger."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from core.domain.money import quoted

MOST_MODIFICATIONS = 25
"""Dhan refuses more for one order (Dhan API v2 docs, Orders, Order Modification)."""


class ChangeKind(StrEnum):
    CANCEL = "cancel"
    MODIFY = "modify"


class ChangeState(StrEnum):
    """WANTED: to be sent. SENT: committed before its call. ANSWERED: the book decides. DONE and FAILED are final."""

    WANTED = "wanted"
    SENT = "sent"
    ANSWERED = "answered"
    DONE = "done"
    FAILED = "failed"


class Verdict(StrEnum):
    """What the answer to the call said, before the book was read."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What of an order can be changed: total quantity in units, prices in rupees; None leaves it as it is."""

    quantity: int | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None

    @property
    def is_empty(self) -> bool:
        return self == Terms()

    def __str__(self) -> str:
        named = {"quantity": self.quantity, "limit": self.price, "trigger": self.trigger_price}
        return ", ".join(
            f"{name} {quoted(value) if isinstance(value, Decimal) else value}"
            for name, value in named.items()
            if value is not None
        )
