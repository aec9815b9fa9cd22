"""The trust ladder: how far a source's alerts may go without a person. Rising is a person's tap, falling is not."""

from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from core.domain.money import rupees


class Trust(StrEnum):
    """The steps from the lowest. PAPER: in live mode its orders are decided and told, and never sent."""

    PAPER = "paper"
    EACH = "each"
    FIRST = "first"
    AUTOMATIC = "automatic"

    @property
    def after_rejection(self) -> "Trust":
        """One step down, but never to PAPER: an exit that is asked about can still go, one that is only told cannot."""
        return {Trust.AUTOMATIC: Trust.FIRST, Trust.FIRST: Trust.EACH}.get(self, self)


_LADDER = tuple(Trust)


def is_higher(after: Trust | None, before: Trust | None) -> bool:
    """Whether more goes without a person than before; no ladder at all is the highest step."""
    steps = (*_LADDER, None)
    return steps.index(after) > steps.index(before)


def in_words(trust: Trust | None, below: Decimal | None) -> str:
    """What the step means, for a list; `below` in rupees."""
    match trust:
        case None:
            return "no ladder: the desk's own policy decides"
        case Trust.PAPER:
            return "paper: decided and told, never sent live"
        case Trust.EACH:
            return "each: you approve every order"
        case Trust.FIRST:
            return "first: you approve the first of the day"
        case Trust.AUTOMATIC:
            return "automatic" if below is None else f"automatic: an order above {rupees(below)} asks"
        case _:
            assert_never(trust)


def why_ask_by_trust(
    name: str, trust: Trust | None, below: Decimal | None, *, value: Decimal | None, approved_today: bool
) -> str:
    """Why an order of this source needs a tap, in a sentence; empty when its step lets it go. `value` in rupees."""
    match trust:
        case None | Trust.PAPER:
            return ""
        case Trust.EACH:
            return f"You approve every order of {name}."
        case Trust.FIRST:
            return "" if approved_today else f"You approve the first order of {name} each day."
        case Trust.AUTOMATIC:
            return _above(name, below, value)
        case _:
            assert_never(trust)


def _above(name: str, below: Decimal | None, value: Decimal | None) -> str:
    if below is None:
        return ""
    if value is None:
        return f"{name} is automatic up to {rupees(below)}, and what this order is worth is not known."
    return f"{name} is automatic up to {rupees(below)}, and this is {rupees(value)}." if value > below else ""
