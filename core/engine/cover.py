"""Before shares are sold from the account: are they there, and may they leave the depository?

Asked just before sending, as far as Dhan answers soon; what cannot be known holds nothing up, since Dhan itself will
say no. What the desk is selling already counts as gone.
A sale that would be refused is not sent: its card says why, and the operator may send it all the same.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core import edits, exits, journal
from core.broker.account import Account, Holding, Position
from core.clock import Moment
from core.db import orders
from core.db.tables import events
from core.domain.alert import Product, Side
from core.domain.instrument import Segment
from core.domain.order import Order, OrderState
from core.engine.claim import ask_again

_ASKED = "uncovered"
_MAY_HOLD = "Dhan does not say whether this still holds: "
_OF_SHARES = frozenset(segment for segment in Segment if segment.is_of_shares)
LOOK_AGAIN = timedelta(seconds=2)
"""What Dhan said is not to be trusted where the desk's own orders moved meanwhile: it is asked once more."""


def needs_cover(order: Order) -> bool:
    """Whether the order sells shares for delivery."""
    return (
        order.side is Side.SELL
        and order.product is Product.DELIVERY
        and order.segment.is_of_shares
        and not order.filled_quantity
    )


def was_asked(connection: Connection, order: Order, kind: str = _ASKED) -> bool:
    """Whether the operator was told of that already, and has let it go since. An edit makes that void."""
    last = _last(connection, order, kind, edits.KIND)
    return last is not None and last[0] == kind


def _last(connection: Connection, order: Order, *kinds: str) -> tuple[str, str] | None:
    """The kind and the words of the order's last event of these kinds."""
    query = select(events.c.kind, events.c.reason).where(events.c.alert_id == order.alert_id)
    query = query.where(events.c.order_id == order.id, events.c.kind.in_(kinds))
    row = connection.execute(query.order_by(events.c.id.desc()).limit(1)).first()
    return None if row is None else (row.kind, row.reason)


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What the account has of a share, in shares, asked at `at` of the desk's time.

    `free` in the depository, for sales at either exchange; `bought` today less what was sold, at the sale's own
    exchange and `bought_elsewhere`: what was bought today is sold where it was bought. `consented`: how many may leave
    the depository; None: as many as there are.
    """

    free: int
    bought: int
    bought_elsewhere: int
    consented: int | None
    at: datetime

    @property
    def there(self) -> int:
        """What there is to sell: sold elsewhere beyond what was bought there, it is gone from the depository."""
        return self.free + self.bought + min(self.bought_elsewhere, 0)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What Dhan says of all shares of the account, asked at `at` of the desk's time: for sales that are due together,
    since each on its own would ask more than Dhan takes of reads. `has_ddpi`: none needs the owner's consent.
    """

    holdings: Sequence[Holding]
    positions: Sequence[Position]
    has_ddpi: bool
    at: datetime


async def look(account: Account, at: datetime) -> Shares:
    """Raises BrokerUnavailable, SignInNeeded."""
    holdings, positions, has_ddpi = await asyncio.gather(
        account.holdings(), account.positions(), account.may_sell_holdings()
    )
    return Shares(holdings=holdings, positions=positions, has_ddpi=has_ddpi, at=at)


async def stock_for(account: Account, order: Order, shares: Shares) -> Stock:
    """What of them is there for this sale. Raises BrokerUnavailable, SignInNeeded."""
    held = [holding for holding in shares.holdings if _is_of(holding, order)]
    delivered = [position for position in shares.positions if _is_delivery_of(position, order)]
    bought = sum(position.net for position in delivered if position.segment == order.segment)
    consented = None
    if held and not shares.has_ddpi and order.quantity > bought:
        consented = await account.approved_for_sale(held[0].isin) if held[0].isin else 0
    return Stock(
        free=sum(holding.sellable for holding in held),
        bought=bought,
        bought_elsewhere=sum(position.net for position in delivered) - bought,
        consented=consented,
        at=shares.at,
    )


def check(connection: Connection, order: Order, moment: Moment, *, stock: Stock | None) -> Order | None:
    """The sale if Dhan would take it, or nobody knows; None when the operator, or Dhan once more, is asked instead."""
    if stock is None:
        return _go_untold(connection, order, moment)
    if _has_sold(connection, order, stock.at, moment.now):
        return orders.postpone(connection, order, moment.now + LOOK_AGAIN)
    words = _why_refused(order, stock, _promised(connection, order, stock, moment.now))
    return order if words is None else ask_about(connection, order, words, moment)


def _go_untold(connection: Connection, order: Order, moment: Moment) -> Order | None:
    """The sale, since Dhan itself will say no; but not on the old answer to a warning if it was edited since."""
    warned = _last(connection, order, _ASKED)
    if warned is None:
        return order
    words = f"{_MAY_HOLD}{warned[1].removeprefix(_MAY_HOLD)}"
    return ask_about(connection, order, words, moment)


def _has_sold(connection: Connection, order: Order, since: datetime, now: datetime) -> bool:
    """Whether a fill of such a sale was learned of since: Dhan's answer may count it or not.

    What lies ahead was written before the clock was set back.
    """
    changed = orders.changed_since(connection, since)
    return any(_is_like(each, order) and each.filled_quantity and since < each.updated_at <= now for each in changed)


def _why_refused(order: Order, stock: Stock, promised: int) -> str | None:
    if stock.there - promised < order.quantity:
        return _too_few(order, stock.there, promised)
    need = order.quantity + promised - max(stock.bought, 0)
    if stock.consented is None or need <= stock.consented:
        return None
    return (
        f"Selling {min(order.quantity, need)} {order.symbol} from the depository needs your consent: "
        "DDPI is not active. Approve the sale with your T-PIN in Dhan's app, then approve it here; or set up DDPI once."
    )


def _promised(connection: Connection, order: Order, stock: Stock, now: datetime) -> int:
    """Shares that our other sales of the day may still take from this one: elsewhere those beyond what was bought
    there.
    """
    open_ = orders.alike(connection, exits.ON_THE_WAY, symbol=order.symbol)
    others = [each for each in open_ if _is_like(each, order) and exits.may_trade(connection, each, now)]
    here = sum(_remaining(each) for each in others if each.segment is order.segment)
    elsewhere = sum(_remaining(each) for each in others) - here
    return here + max(elsewhere - max(stock.bought_elsewhere, 0), 0)


def _remaining(order: Order) -> int:
    return order.quantity - order.filled_quantity


def _is_like(other: Order, order: Order) -> bool:
    """Whether it sells the same shares, on either exchange."""
    is_sale = other.side is Side.SELL and other.product is Product.DELIVERY and other.segment.is_of_shares
    return is_sale and other.symbol == order.symbol and other.id != order.id


def _too_few(order: Order, there: int, promised: int) -> str:
    has = f"only {there} of {order.symbol}" if there > 0 else f"no {order.symbol}"
    taken = f", and {promised} of them are being sold" if promised and there > 0 else ""
    return (
        f"The account has {has} to sell{taken}, so Dhan would refuse {order.quantity}. "
        "Approve it to send it all the same."
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
    """At either exchange; at the other one the name tells, since the id is another."""
    if position.product is not Product.DELIVERY:
        return False
    if position.segment == order.segment:
        return position.security_id == order.security_id
    return position.segment in _OF_SHARES and position.symbol == order.symbol
