"""What /cancel and /modify show. Texts from outside are escaped here."""

from collections.abc import Sequence
from html import escape

from bot.card_views import terms
from bot.text import cut, fit, rupees
from core.broker.port import BrokerOrder
from core.domain.change import Terms
from core.domain.order import Order


def plain(text: str) -> str:
    return escape(cut(text))


def about(order: Order, words: str) -> str:
    """One order, and what is done about it."""
    return f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}\n{escape(words)}."


def choices(orders: Sequence[Order], example: str) -> str:
    """The orders that a command could be about."""
    if not orders:
        return "Nothing is open."
    lines = [escape(example), ""]
    for order in orders:
        lines += [f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}", terms(order)]
    return fit("\n".join(lines))


def change(order: Order, wish: Terms) -> str:
    """Before and after, for the question whether to change it."""
    return (
        f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}\n"
        f"Now: {terms(order)}\nThen: {escape(str(wish))}"
    )


def edited(order: Order) -> str:
    """An order that waits, as it is now."""
    return (
        f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}\n"
        f"{terms(order)}\nIts card asks for your tap."
    )


def elsewhere(found: Sequence[BrokerOrder]) -> str:
    """Orders that were placed outside this desk; empty when there are none."""
    if not found:
        return ""
    lines = ["<b>Placed elsewhere today</b>, not touched from here", ""]
    for row in found:
        price = f" at {rupees(row.price)}" if row.price else ""
        side = row.side or "?"
        lines.append(f"{side} {row.quantity} {escape(row.symbol)}{price} · {escape(row.status.lower())}")
    return "\n".join(lines)
