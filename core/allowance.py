"""An order held against the operator's limits, with what the same day holds already."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from core.clock import INDIA, to_india
from core.db import orders, sources
from core.domain.instrument import Segment
from core.domain.limits import Breach, Limits, Usage, Wish, breach, is_exit, worse
from core.domain.order import AT_BROKER, Order, OrderState
from core.domain.source import Source
from core.errors import Refusal
from core.policies import Policies

SENT = frozenset(
    {OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_OPERATOR, OrderState.FILLED, *AT_BROKER}
    | {OrderState.CANCELLED, OrderState.LAPSED}
)
_COUNTED_IN_LOTS = {Segment.MCX_COMM, Segment.NSE_CURRENCY, Segment.BSE_CURRENCY}
PLANNED = SENT | {OrderState.QUEUED, OrderState.AWAITING_APPROVAL}


def check(
    connection: Connection,
    limits: Limits,
    wish: Wish,
    at: datetime,
    states: Iterable[OrderState],
    *,
    source: Source,
    but: int = 0,
) -> Breach | None:
    """The limit, the desk's or the source's, that the order would break if it goes out then; `but` does not count."""
    desk = _check(connection, limits, wish, at, states, but=but)
    own = _check(connection, source.limits, wish, at, states, but=but, source_id=source.id)
    return worse(desk, own and replace(own, words=f"By the limits of {source.name}: {own.words}"))


def _check(
    connection: Connection,
    limits: Limits,
    wish: Wish,
    at: datetime,
    states: Iterable[OrderState],
    *,
    but: int,
    source_id: int | None = None,
) -> Breach | None:
    if not limits.look_at_the_day:
        return breach(limits, wish, Usage())
    day = to_india(at).date()
    return breach(limits, wish, used(connection, wish.symbol, day, states, but=but, source_id=source_id))


def check_order(connection: Connection, limits: Limits, source: Source, order: Order, at: datetime) -> Breach | None:
    """The limit that a stored order breaks if it goes out then; an exit at the operator's word breaks none."""
    if order.closes:
        return None
    return check(connection, limits, wish_of(order), at, SENT, source=source, but=order.id)


def refuse_above(connection: Connection, order: Order, at: datetime) -> None:
    """A hard limit holds against a tap, too. Raises Refusal."""
    source = sources.of_alert(connection, order.alert_id)
    broken = check_order(connection, Policies.read(connection).limits, source, order, at)
    if broken is not None and broken.is_hard:
        raise Refusal(f"{broken.words} Change it with /limits or /sources if you mean it.")


def wish_of(order: Order) -> Wish:
    return Wish(
        symbol=order.symbol,
        quantity=order.quantity,
        value=value(order.segment, order.quantity, order.price),
        is_exit=is_exit(order.side, order.product),
    )


def value(segment: Segment, quantity: int, price: Decimal | None) -> Decimal | None:
    """None where it cannot be known: at the market, and where quantities are lots whose size Dhan's list leaves out."""
    return None if price is None or segment in _COUNTED_IN_LOTS else quantity * price


def used(
    connection: Connection,
    symbol: str,
    day: date,
    states: Iterable[OrderState],
    *,
    but: int,
    source_id: int | None = None,
) -> Usage:
    """What the day holds already, of every source or of one."""
    midnight = datetime.combine(day, time(), INDIA)
    same_day = orders.releasing(connection, states, midnight, midnight + timedelta(days=1), source_id=source_id)
    others = [order for order in same_day if order.id != but]
    values = [(order.symbol, value(order.segment, order.quantity, order.price) or Decimal(0)) for order in others]
    return Usage(
        orders=len(others),
        value=sum((worth for _, worth in values), Decimal(0)),
        symbol_value=sum((worth for name, worth in values if name == symbol), Decimal(0)),
    )
