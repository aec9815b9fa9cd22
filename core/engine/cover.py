"""Before shares are sold from the account: are they there, and may they leave the depository?

Asked just before sending, as far as Dhan answers; what cannot be known holds nothing up, since Dhan itself will say no.
A sale that would be refused is not sent: its card says why, and the operator may send it all the same.
"""

import asyncio

import structlog
from sqlalchemy import Connection, select

from core import journal
from core.broker.account import Account, Holding, Position
from core.clock import Moment
from core.db import orders
from core.db.tables import events
from core.domain.alert import Product, Side
from core.domain.order import Order, OrderState
from core.engine.claim import ask_again
from core.errors import BrokerUnavailable, SignInNeeded

log = structlog.get_logger()

_ASKED = "uncovered"


def needs_cover(order: Order) -> bool:
    """Whether the order sells shares for delivery."""
    return (
        order.side is Side.SELL
        and order.product is Product.DELIVERY
        and order.segment.is_of_shares
        and not order.filled_quantity
    )


def was_asked(connection: Connection, order: Order, kind: str = _ASKED) -> bool:
    """Whether the operator was told of that already, and has let it go since."""
    query = select(events.c.id).where(events.c.alert_id == order.alert_id, events.c.order_id == order.id)
    return connection.execute(query.where(events.c.kind == kind).limit(1)).first() is not None


async def why_uncovered(account: Account, order: Order) -> str | None:
    """Why Dhan would refuse the sale and what to do, in sentences; None when it would not, or nobody knows."""
    try:
        holdings, positions, has_ddpi = await asyncio.gather(
            account.holdings(), account.positions(), account.may_sell_holdings()
        )
        held = next((holding for holding in holdings if _is_of(holding, order)), None)
        bought = sum(position.net for position in positions if _is_delivery_of(position, order))
        sellable = (held.sellable if held else 0) + bought
        if sellable < order.quantity:
            return _too_few(order, sellable)
        from_depository = order.quantity - max(bought, 0)
        if has_ddpi or held is None or from_depository <= 0:
            return None
        if held.isin and await account.approved_for_sale(held.isin) >= from_depository:
            return None
    except (BrokerUnavailable, SignInNeeded) as trouble:
        log.warning("cover_not_known", order=order.label, why=str(trouble))
        return None
    return (
        f"Selling {from_depository} {order.symbol} from the depository needs your consent: DDPI is not active. "
        "Approve the sale with your T-PIN in Dhan's app, then approve it here; or set up DDPI once."
    )


def _too_few(order: Order, sellable: int) -> str:
    there = f"only {sellable} of {order.symbol}" if sellable > 0 else f"no {order.symbol}"
    return (
        f"The account has {there} to sell, so Dhan would refuse {order.quantity}. Approve it to send it all the same."
    )


def ask_about(connection: Connection, seen: Order, words: str, moment: Moment, kind: str = _ASKED) -> None:
    """Put the order back to the operator, with the reason."""
    order = orders.get(connection, seen.id)
    if order.state is not OrderState.QUEUED or order.version != seen.version:
        return
    journal.append(
        connection,
        journal.Event(
            at=moment.now, alert_id=order.alert_id, order_id=order.id, actor=journal.DESK, kind=kind, reason=words
        ),
    )
    ask_again(connection, order, words, moment.now)


def _is_of(holding: Holding, order: Order) -> bool:
    """Holdings are counted over both exchanges, so the name counts where the id is the other exchange's."""
    return order.security_id == holding.security_id or holding.symbol == order.symbol


def _is_delivery_of(position: Position, order: Order) -> bool:
    return (
        position.product is Product.DELIVERY
        and position.security_id == order.security_id
        and position.segment == order.segment
    )
