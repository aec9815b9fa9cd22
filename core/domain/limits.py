"""The operator's limits: a soft one asks, a hard one refuses. Nothing is limited until a limit is set.

A way out must stay open: selling shares that were taken for delivery is asked about where an entry is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.domain.alert import Product, Side
from core.domain.money import grouped, rupees


class Limit(StrEnum):
    """What is limited. Values in rupees, quantities in units; a day is India's, by when the order goes out."""

    ORDER_VALUE = "order_value"
    ORDER_QUANTITY = "order_quantity"
    SYMBOL_VALUE = "symbol_value"
    DAY_VALUE = "day_value"
    DAY_ORDERS = "day_orders"

    @property
    def words(self) -> str:
        return {
            Limit.ORDER_VALUE: "value of one order",
            Limit.ORDER_QUANTITY: "quantity of one order",
            Limit.SYMBOL_VALUE: "value in one symbol a day",
            Limit.DAY_VALUE: "value of a day's orders",
            Limit.DAY_ORDERS: "number of orders a day",
        }[self]

    @property
    def is_money(self) -> bool:
        return self in (Limit.ORDER_VALUE, Limit.SYMBOL_VALUE, Limit.DAY_VALUE)

    def spoken(self, amount: Decimal) -> str:
        """So much of what is limited: rupees with their paise, quantities and orders as they are counted."""
        return rupees(amount) if self.is_money else grouped(f"{amount:f}")


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Above `soft` the operator is asked, above `hard` the order is refused; None: no such limit."""

    soft: Decimal | None = None
    hard: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`allowed` empty means every symbol; `denied` wins over `allowed`."""

    bounds: Mapping[Limit, Bound] = field(default_factory=dict[Limit, Bound])
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    @property
    def look_at_the_day(self) -> bool:
        """Whether what went out before matters."""
        return any(limit in self.bounds for limit in (Limit.SYMBOL_VALUE, Limit.DAY_VALUE, Limit.DAY_ORDERS))


@dataclass(frozen=True, kw_only=True)
class Wish:
    """An order as the limits see it; `value` None when nobody can tell, as at the market."""

    symbol: str
    quantity: int
    value: Decimal | None
    is_exit: bool


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the same day holds already, without the order in question. What had no price counts as nothing."""

    orders: int = 0
    value: Decimal = Decimal(0)
    symbol_value: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A limit that the order does not keep; `words` is a sentence."""

    is_hard: bool
    words: str


def is_exit(side: Side, product: Product) -> bool:
    """Shares are taken for delivery only, so selling them is a way out; of a derivative nobody knows without asking."""
    return side is Side.SELL and product in (Product.DELIVERY, Product.MARGIN_FUNDED)


def needs_two(most: Decimal | None, wish: Wish) -> bool:
    """Whether an entry needs a second approver; what it is worth may be unknown."""
    return most is not None and not wish.is_exit and (wish.value is None or wish.value > most)


def breach(limits: Limits, wish: Wish, usage: Usage) -> Breach | None:
    """The worst limit that the order does not keep; None when it keeps them all."""
    found = [*_symbols(limits, wish), *_bounds(limits, wish, usage)]
    worst = next((each for each in found if each.is_hard), found[0] if found else None)
    if worst is not None and worst.is_hard and wish.is_exit:
        return Breach(is_hard=False, words=f"{worst.words} It is a way out, so you may approve it.")
    return worst


def worse(desk: Breach | None, source: Breach | None) -> Breach | None:
    """Of two sets of limits the stricter wins; where both say the same, the desk speaks."""
    if desk is None or (source is not None and source.is_hard and not desk.is_hard):
        return source
    return desk


def _symbols(limits: Limits, wish: Wish) -> Iterator[Breach]:
    symbol = wish.symbol.upper()  # as the operator's lists have it; an option's own name does not
    if symbol in limits.denied:
        yield Breach(is_hard=True, words=f"{wish.symbol} is on your deny list.")
    elif limits.allowed and symbol not in limits.allowed:
        yield Breach(is_hard=True, words=f"{wish.symbol} is not on your allow list.")


def _bounds(limits: Limits, wish: Wish, usage: Usage) -> Iterator[Breach]:
    for limit, bound in limits.bounds.items():
        amount = _amount(limit, wish, usage)
        if amount is None:
            words = f"What it is worth is not known, so your limit on the {limit.words} cannot be checked."
            yield Breach(is_hard=False, words=words)
        elif bound.hard is not None and amount > bound.hard:
            yield Breach(is_hard=True, words=_above(limit, amount, bound.hard, "hard"))
        elif bound.soft is not None and amount > bound.soft:
            yield Breach(is_hard=False, words=_above(limit, amount, bound.soft, "soft"))


def _amount(limit: Limit, wish: Wish, usage: Usage) -> Decimal | None:
    match limit:
        case Limit.ORDER_QUANTITY:
            return Decimal(wish.quantity)
        case Limit.DAY_ORDERS:
            return Decimal(usage.orders + 1)
        case Limit.ORDER_VALUE:
            return wish.value
        case Limit.SYMBOL_VALUE:
            return None if wish.value is None else usage.symbol_value + wish.value
        case Limit.DAY_VALUE:
            return None if wish.value is None else usage.value + wish.value


def _above(limit: Limit, amount: Decimal, most: Decimal, kind: str) -> str:
    return f"The {limit.words} would be {limit.spoken(amount)}, above your {kind} limit of {limit.spoken(most)}."
