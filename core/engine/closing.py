"""Before an exit that waited leaves: what is left of its position?

It was confirmed against the account of that moment. Since then the position may have been closed, and the whole exit
would open another one the other way round. So at most what is left goes; what nobody can tell is asked about.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from core import exits, journal
from core.broker.port import PastFill
from core.clock import Moment, to_india
from core.db import orders
from core.domain.alert import Product, Side
from core.domain.order import AT_BROKER, WAITING, Order, OrderState
from core.domain.sessions import spoken_day
from core.engine import cover
from core.engine.claim import expire
from core.exits import Place, Seen

_A_MOMENT = timedelta(seconds=10)
"""An exit goes on the word that was given so long ago at most, and an operator's tap overrules Dhan's silence."""
_GOOD_FOR = timedelta(seconds=5)
_UNSEEN, _HIDDEN, _UNTOLD = "position_unseen", "book_incomplete", "past_untold"
_DELIVERED = (Product.DELIVERY, Product.MARGIN_FUNDED)

_CLOSED = "The position is closed already: nothing was sent."
_NOTHING_MORE = "The orders before it close what is left of the position: nothing more was sent."
_SQUARED_OFF = "Dhan has squared it off, as it does with intraday positions each day: nothing was sent."
_BESIDE = (
    "{beside}: with it, this exit could turn the position round. "
    "Cancel it first, or wait for it; then approve this exit."
)
_NOBODY_KNOWS = (
    "Dhan did not say whether the position is still open. "
    "Look in Dhan's app, and approve this exit only if all of it is."
)
_NO_HISTORY = (
    "Dhan's trade history does not tell what was left of the position at the end of {day}, and the account may have "
    "older shares. Look in Dhan's app, and approve this exit only if none of it was sold that day."
)
_MAY_BE_BESIDE = (
    "An entry of Dhan's order book cannot be read, and may be an open order of this position: with it, this exit could "
    "turn the position round. Look in Dhan's app, and approve this exit if there is none."
)


def has_waited(order: Order, now: datetime) -> bool:
    return order.closes and abs(now - order.created_at) > _A_MOMENT


def day_of_holding(order: Order, now: datetime) -> date | None:
    """The India day from which its shares are held; None where they are a position of today."""
    asked_on = to_india(order.created_at).date()
    return asked_on if order.product in _DELIVERED and asked_on < to_india(now).date() else None


def check(connection: Connection, order: Order, moment: Moment, *, seen: Seen | None) -> Order | None:
    """The exit as it may be claimed in this transaction, smaller where less is left; None when it does not go now."""
    now, legs = moment.now, orders.of_alert(connection, order.alert_id)
    if _was_put_off(order):
        return _end(connection, order, legs, _SQUARED_OFF, now)
    place = Place.of(order)
    others = [each for each in exits.on_the_way(connection, place, now) if each.alert_id != order.alert_id]
    if any(each.state is OrderState.SUBMITTING for each in others):
        return _look_again(connection, order, now)
    if seen is None:
        return _by_the_tap(connection, order, exits.open_beside(place, others, ()), moment)
    if now - seen.at > _GOOD_FOR or _has_moved(connection, place, seen, now):
        return _look_again(connection, order, now)
    held = _held(connection, order, legs, seen, now)
    if held is None:
        words = _NO_HISTORY.format(day=spoken_day(to_india(order.created_at)))
        return cover.ask_about(connection, order, words, moment, kind=_UNTOLD)
    net = place.net(seen.positions) + held
    if net <= 0:
        return _end(connection, order, legs, _CLOSED, now)
    left = net - _may_still_fill(legs, seen)
    if left <= 0:
        return _end(connection, order, legs, _NOTHING_MORE, now)
    slices = {leg.broker_order_id for leg in legs}
    beside = exits.open_beside(place, others, [row for row in seen.book if row.order_id not in slices])
    if beside is not None:
        return _ask_beside(connection, order, beside, moment)
    if not seen.book_is_whole and not any(cover.was_asked(connection, leg, _HIDDEN) for leg in legs):
        # once for all slices: an entry can stay as it is all day
        return cover.ask_about(connection, order, _MAY_BE_BESIDE, moment, kind=_HIDDEN)
    return _at_most(connection, order, left, now)


def _at_most(connection: Connection, order: Order, left: int, now: datetime) -> Order | None:
    if left >= order.quantity:
        return order
    words = f"{left} of {order.quantity} are left of the position: so many are exited."
    return orders.note(connection, order, at=now, actor=journal.DESK, reason=words, quantity=left)


def _may_still_fill(slices: list[Order], seen: Seen) -> int:
    """Units of the slices that Dhan has, those among them whose entries cannot be read."""
    remaining = {row.order_id: row.remaining for row in seen.book}
    shown = sum(remaining.get(leg.broker_order_id or "", 0) for leg in slices)
    if seen.book_is_whole:
        return shown
    hidden = (leg for leg in slices if leg.state in AT_BROKER and leg.broker_order_id not in remaining)
    return shown + sum(leg.quantity - leg.filled_quantity for leg in hidden)


def _was_put_off(order: Order) -> bool:
    """To a day on which its intraday position is no more, whatever there is by then."""
    reaches = order.reaches_exchange_at or order.created_at
    return order.product is Product.INTRADAY and to_india(reaches).date() != to_india(order.created_at).date()


def _has_moved(connection: Connection, place: Place, seen: Seen, now: datetime) -> bool:
    """Whether the position moved while Dhan was asked; or an order of ours changed since, and with it perhaps that.

    What lies ahead was written before the clock was set back.
    """
    changed = orders.changed_since(connection, seen.at)
    is_other = place.net(seen.positions) != place.net(seen.before)
    return is_other or any(place.has(each) and seen.at < each.updated_at <= now for each in changed)


def _held(connection: Connection, order: Order, legs: list[Order], seen: Seen, now: datetime) -> int | None:
    """Units that overnight became a holding: what was sold of it since makes the position short. None: nobody knows.

    Where the history does not tell although the operator was asked, it is all that our own slices had left.
    """
    since = day_of_holding(order, now)
    if since is None:
        return 0
    whole = exits.confirmed(connection, order)
    ours = sum(leg.filled_quantity for leg in legs if leg.broker_day < to_india(now).date())
    kept = _kept(Place.of(order), seen.past.get(since, {}).values(), whole, ours)
    if kept is not None:
        return min(whole, kept)
    return whole - ours if any(cover.was_asked(connection, leg, _UNTOLD) for leg in legs) else None


def _kept(place: Place, past: Iterable[PastFill], whole: int, ours: int) -> int | None:
    """Units bought less those sold, by the history; None where it lacks what is known to have traded.

    That is the `whole` position, bought that day, and what `ours` sold of it.
    """
    here = [fill for fill in past if (fill.segment, fill.security_id) == (place.segment, place.security_id)]
    if any(fill.side is None or fill.product is None for fill in here):
        return None
    traded = dict.fromkeys(Side, 0)
    for fill in here:
        if fill.side is not None and fill.product is place.product:
            traded[fill.side] += fill.quantity
    is_short = traded[Side.BUY] < whole or traded[Side.SELL] < ours
    return None if is_short else traded[Side.BUY] - traded[Side.SELL]


def _by_the_tap(connection: Connection, order: Order, beside: str | None, moment: Moment) -> Order | None:
    """Dhan is silent: the operator overrules that with a fresh tap, but not what the desk knows itself."""
    if beside is not None:
        return _ask_beside(connection, order, beside, moment)
    is_fresh = order.approved_at is not None and abs(moment.now - order.approved_at) <= _A_MOMENT
    if is_fresh and cover.was_asked(connection, order, _UNSEEN):
        return order
    cover.ask_about(connection, order, _NOBODY_KNOWS, moment, kind=_UNSEEN)
    return None


def _ask_beside(connection: Connection, order: Order, beside: str, moment: Moment) -> None:
    cover.ask_about(connection, order, _BESIDE.format(beside=beside), moment, kind="order_beside")


def _look_again(connection: Connection, order: Order, now: datetime) -> None:
    orders.postpone(connection, order, now + cover.LOOK_AGAIN)


def _end(connection: Connection, order: Order, legs: list[Order], words: str, now: datetime) -> None:
    """With the slices behind it; one of them rings."""
    expire(connection, order, now, words)
    for leg in legs:
        if leg.id != order.id and leg.state in WAITING:
            orders.move(connection, leg, OrderState.EXPIRED, at=now, actor=journal.DESK, reason=words)
