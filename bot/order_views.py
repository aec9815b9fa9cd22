"""What /cancel and /modify show. Texts from outside are escaped here."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from bot.card_views import terms
from bot.text import cut, fit, quoted
from core.broker.port import BrokerOrder
from core.domain.change import Terms
from core.domain.order import Order


def plain(text: str) -> str:
    return escape(cut(text))


def about(order: Order, words: str) -> str:
    """One order, and what is done about it."""
    return f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}\n{escape(words.rstrip('.'))}."


def choices(orders: Sequence[Order], example: str) -> str:
    """The orders that a command could be about."""
    if not orders:
        return "Nothing is open."
    lines = [escape(example), ""]
    for order in orders:
        lines += [f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}", terms(order)]
    return fit("\n".join(lines))


def change(order: Order, wish: Terms, remarks: Sequence[str] = ()) -> str:
    """Before and after, for the question whether to change it, and what is to be said of it."""
    return (
        f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}\n"
        f"Now: {terms(order)}\nThen: {escape(str(wish))}" + "".join(f"\n{escape(remark)}" for remark in remarks)
    )


def how_to_edit(waiting: Sequence[Order]) -> str:
    """How a reply to the card's Edit is written, with what each order that waits has now."""
    if len(waiting) == 1:
        return f"with what it shall be instead of <code>{_named(waiting[0])}</code>"
    legs = "\n".join(f"<code>{order.position} {_named(order)}</code>" for order in waiting)
    return f"with a leg and what it shall be, like {waiting[-1].position} quantity=5. They are now:\n{legs}"


def _named(order: Order) -> str:
    """Its terms as /modify and a reply name them; what the order has not is not named."""
    terms = {"quantity": Decimal(order.quantity), "price": order.price, "trigger": order.trigger_price}
    return " ".join(f"{name}={_bare(number)}" for name, number in terms.items() if number is not None)


def _bare(number: Decimal) -> str:
    return f"{number.normalize():f}"


def edited(order: Order, remarks: Sequence[str] = ()) -> str:
    """An order that waits, as it is now, and what is to be said of it."""
    return (
        f"<b>{order.side} {order.quantity} {escape(order.symbol)}</b> · {order.label}\n"
        f"{terms(order)}\nIts card asks for your tap." + "".join(f"\n{escape(remark)}" for remark in remarks)
    )


def elsewhere(found: Sequence[BrokerOrder]) -> str:
    """Orders that were placed outside this desk; empty when there are none."""
    if not found:
        return ""
    lines = ["<b>Placed elsewhere today</b>, not touched from here", ""]
    for row in found:
        price = f" at {quoted(row.price)}" if row.price else ""
        side = row.side or "?"
        lines.append(f"{side} {row.quantity} {escape(row.symbol)}{price} · {escape(row.status.lower())}")
    return "\n".join(lines)
