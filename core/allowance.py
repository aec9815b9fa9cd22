"""An order held against the operator's limits, with what the same day holds already."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from core.clock import INDIA, to_india
from core.db import orders
from core.domain.alert import Exchange
from core.domain.limits import Breach, Limits, Usage, Wish, breach, is_exit
from core.domain.order import AT_BROKER, Order, OrderState
from core.errors import Refusal
from core.policies import Policies

SENT = frozenset(
    {OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_OPERATOR, OrderState.FILLED, *AT_BROKER}
    | {OrderState.CANCELLED, OrderState.LAPSED}
)
PLANNED = SENT | {OrderState.QUEUED, OrderState.AWAITING_APPROVAL}


def check(
    connection: Connection, limits: Limits, wish: Wish, at: datetime, states: Iterable[OrderState], *, but: int = 0
) -> Breach | None:
    """The limit that the order would break when it goes out at that time; the order `but` does not count."""
    usage = used(connection, wish.symbol, to_india(at).date(), states, but=but) if limits.look_at_the_day else Usage()
    return breach(limits, wish, usage)


def check_order(connection: Connection, limits: Limits, order: Order, at: datetime) -> Breach | None:
    """The limit that a stored order breaks if it goes out then; an exit at the operator's word breaks none."""
    if order.closes:
        return None
    return check(connection, limits, wish_of(order), at, SENT, but=order.id)


def refuse_above(connection: Connection, order: Order, at: datetime) -> None:
    """A hard limit holds against a tap, too. Raises Refusal."""
    broken = check_order(connection, Policies.read(connection).limits, order, at)
    if broken is not None and broken.is_hard:
        raise Refusal(f"{broken.words} Change it with /limits if you mean it.")


def wish_of(order: Order) -> Wish:
    return Wish(
        symbol=order.symbol,
        quantity=order.quantity,
        value=value(order.exchange, order.quantity, order.price),
        is_exit=is_exit(order.side, order.product),
    )


def value(exchange: Exchange, quantity: int, price: Decimal | None) -> Decimal | None:
    """None where it cannot be known: at the market, and on MCX, whose quantities are lots of unsaid size."""
    return None if price is None or exchange is Exchange.MCX else quantity * price


def used(connection: Connection, symbol: str, day: date, states: Iterable[OrderState], *, but: int) -> Usage:
    midnight = datetime.combine(day, time(), INDIA)
    same_day = orders.releasing(connection, states, midnight, midnight + timedelta(days=1))
    others = [order for order in same_day if order.id != but]
    values = [(order.symbol, value(order.exchange, order.quantity, order.price) or Decimal(0)) for order in others]
    return Usage(
        orders=len(others),
        value=sum((worth for _, worth in values), Decimal(0)),
        symbol_value=sum((worth for name, worth in values if name == symbol), Decimal(0)),
    )
