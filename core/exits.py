"""Taking positions back at the operator's word: what can be exited, and the orders that do it.

Exits are orders like all others (written down, sent once, followed), but no rule for entries holds them up: they were
approved by name and size. The stop switch still stops them, since it stops everything that is sent.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from core import controls, market_days, notifications
from core.broker.account import Account, Position
from core.broker.port import Broker, BrokerOrder, IncompleteBook, PastFill
from core.clock import INDIA, to_india
from core.db import alerts, attempts, orders
from core.domain.alert import AmoTime, OrderType, Product, Side
from core.domain.attempt import AttemptState
from core.domain.instrument import Instrument, Segment, spoken_name
from core.domain.order import AT_BROKER, IN_DOUBT, WAITING, Mode, Order, OrderState, why_queued
from core.domain.routing import Decision, ReleasePolicy, route
from core.domain.sessions import Calendar, Trading, spoken_time
from core.errors import Refusal
from core.tickets import Ticket, slices

Find = Callable[[Segment, str], Instrument]
_UNSENT = (*WAITING, OrderState.NEEDS_OPERATOR)
_SOLD = "sold from the account's holdings. To have them back, buy them."
ON_THE_WAY = (OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_OPERATOR, *AT_BROKER)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What Dhan said of the account, asked at `at` of the desk's time.

    The book was read between the positions `before` and those of now: where these differ, something filled meanwhile,
    and the book's orders may count it once more. `book_is_whole`: each of its entries could be read. `past`: the trade
    history from an India day until yesterday, by that day, as far as it was asked for and could be read.
    """

    before: Sequence[Position]
    book: Sequence[BrokerOrder]
    positions: Sequence[Position]
    at: datetime
    book_is_whole: bool = True
    past: Mapping[date, Mapping[str, PastFill]] = field(default_factory=dict[date, Mapping[str, PastFill]])


async def look(account: Account, broker: Broker, at: datetime) -> Seen:
    """Positions, book and positions again, one after the other. Raises BrokerUnavailable, SignInNeeded."""
    before = await account.positions()
    try:
        book, book_is_whole = await broker.book(), True
    except IncompleteBook as incomplete:
        book, book_is_whole = incomplete.orders, False
    positions = await account.positions()
    return Seen(before=before, book=book, positions=positions, at=at, book_is_whole=book_is_whole)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What orders of one side work on: one position, since Dhan keeps one for each product."""

    segment: str
    security_id: str
    side: Side
    product: Product

    @classmethod
    def of(cls, order: Order) -> "Place":
        return cls(segment=order.segment, security_id=order.security_id, side=order.side, product=order.product)

    def has(self, order: Order | BrokerOrder) -> bool:
        """What Dhan does not name in our words may be of this place, too."""
        is_same = (order.segment, order.security_id) == (self.segment, self.security_id)
        return is_same and order.side in (None, self.side) and order.product in (None, self.product)

    def net(self, positions: Iterable[Position]) -> int:
        """Units that orders of this side can still close; negative where the position lies the other way."""
        same = (
            position.net
            for position in positions
            if (position.segment, position.security_id, position.product)
            == (self.segment, self.security_id, self.product)
        )
        return sum(same) * (1 if self.side is Side.SELL else -1)


def on_the_way(connection: Connection, place: Place, now: datetime) -> list[Order]:
    """Our orders of that place that Dhan has or may have, and that can trade today: all are valid for one day."""
    found = orders.alike(connection, ON_THE_WAY, segment=place.segment, security_id=place.security_id)
    return [order for order in found if place.has(order) and may_trade(connection, order, now)]


def may_trade(connection: Connection, order: Order, now: datetime) -> bool:
    """Whether an order that is on the way can fill today."""
    if order.broker_day < to_india(now).date():
        return False
    return order.state is not OrderState.NEEDS_OPERATOR or not _is_absent(connection, order)


def _is_absent(connection: Connection, order: Order) -> bool:
    last = attempts.last_of(connection, order.id)
    return last is not None and last.state is AttemptState.ABSENT


def open_beside(place: Place, ours: Iterable[Order], book: Sequence[BrokerOrder]) -> str | None:
    """The first order of that place that may still fill beside an exit, in words; of `ours` first, then of the book."""
    return next((_stands(place, order) for order in _may_fill(place, ours, book)), None)


def _may_fill(place: Place, ours: Iterable[Order], book: Sequence[BrokerOrder]) -> Iterator[Order | BrokerOrder]:
    rows, known = {row.order_id: row for row in book}, set[str | None]()
    for order in ours:
        known.add(order.broker_order_id)
        row = rows.get(order.broker_order_id or "")
        if row is None or row.remaining:
            yield order
    yield from (row for row in book if place.has(row) and row.remaining and row.order_id not in known)


def _stands(place: Place, order: Order | BrokerOrder) -> str:
    if isinstance(order, BrokerOrder):
        return f"{place.side} {order.remaining} {order.symbol} (order {order.order_id}) is open at Dhan"
    stands = "may be at Dhan" if order.state in IN_DOUBT else "is open already"
    return f"{order.label} {order.side} {order.quantity} {order.symbol} {stands}"


@dataclass(frozen=True, kw_only=True)
class Exit:
    """One position to be closed whole, at the market, in its own product; `decision` is when it goes.

    `replaces` are orders of the same side that were not sent, and are given up for it: after it they would open another
    position.
    """

    instrument: Instrument
    product: Product
    net: int
    decision: Decision
    replaces: tuple[Order, ...] = ()

    @property
    def side(self) -> Side:
        return Side.SELL if self.net > 0 else Side.BUY

    @property
    def quantity(self) -> int:
        return abs(self.net)

    @property
    def place(self) -> Place:
        where = self.instrument.segment, self.instrument.security_id
        return Place(segment=where[0], security_id=where[1], side=self.side, product=self.product)

    @property
    def reaches_later(self) -> datetime | None:
        """When the exchange sees it; None when that is at once."""
        return None if self.decision.mode is Mode.IMMEDIATE else self.decision.reaches_exchange_at

    @property
    def facts(self) -> dict[str, Any]:
        """What the operator confirms, as plain values."""
        later = self.reaches_later
        return {
            "symbol": self.instrument.symbol,
            "segment": self.instrument.segment,
            "security_id": self.instrument.security_id,
            "product": self.product,
            "net": self.net,
            "later": later and later.isoformat(),
            "replaces": [order.label for order in self.replaces],
        }


@dataclass(frozen=True, kw_only=True)
class ExitPlan:
    """What can be exited here, and why the rest cannot: each a sentence about one position. `not_open` are sales from
    the account's holdings, which Dhan lists as positions: nothing of them is to be exited.

    Where not `book_is_whole`, an order that could turn a position round may be hidden.
    """

    exits: tuple[Exit, ...]
    left: tuple[str, ...]
    not_open: tuple[str, ...] = ()
    book_is_whole: bool = True


def is_open(position: Position) -> bool:
    """Whether there is something to exit: what was sold from the account's holdings is gone."""
    is_owned = position.product in (Product.DELIVERY, Product.MARGIN_FUNDED)
    return position.net > 0 or (position.net < 0 and not is_owned)


def plan_exits(
    connection: Connection,
    seen: Seen,
    find: Find,
    *,
    now: datetime,
    calendar: Calendar,
    symbol: str | None = None,
) -> ExitPlan:
    """Exits for all open positions, or for those of one symbol, in capitals, as a position goes by it.

    Short ones come first: what is held against them may be all that keeps their margin down.
    """
    exits: list[Exit] = []
    left: list[str] = []
    not_open: list[str] = []
    today = market_days.in_force(connection, calendar)
    for position in sorted(seen.positions, key=lambda position: position.net > 0):
        if not position.net or not (symbol is None or position.goes_by(symbol)):
            continue
        if not is_open(position):
            not_open.append(f"{_named(position)}: {_SOLD}")
            continue
        try:
            exits.append(_unhindered(connection, _exit(position, find, now, today), seen, now))
        except Refusal as reason:
            left.append(f"{_named(position)}: {reason}")
    return ExitPlan(exits=tuple(exits), left=tuple(left), not_open=tuple(not_open), book_is_whole=seen.book_is_whole)


def _named(position: Position) -> str:
    return f"{spoken_name(position.segment, position.symbol)}, {position.net}, {position.product_name}"


def _exit(position: Position, find: Find, now: datetime, calendar: Calendar) -> Exit:
    if position.product is None or position.segment not in Segment.__members__:
        raise Refusal("this is not traded from here: close it in Dhan's app.")
    instrument = find(Segment(position.segment), position.security_id)
    decision = _decide(instrument, position.product, now, calendar)
    return Exit(instrument=instrument, product=position.product, net=position.net, decision=decision)


def _unhindered(connection: Connection, exit_: Exit, seen: Seen, now: datetime) -> Exit:
    """With what it replaces. Raises Refusal beside an order that may fill, too: both would turn the position round."""
    place = exit_.place
    for order in orders.changed_since(connection, seen.at):
        has_filled = order.state.is_final and (order.filled_quantity or order.state is OrderState.FILLED)
        if place.has(order) and has_filled and order.updated_at <= now:
            raise Refusal(f"{order.label} has just ended ({order.state}): look at the position again.")
    unsent = orders.alike(connection, _UNSENT, segment=place.segment, security_id=place.security_id)
    replaces = [order for order in unsent if place.has(order) and _is_unsent(connection, order)]
    earlier = next((order for order in replaces if order.closes and order.state is OrderState.QUEUED), None)
    if earlier is not None:
        raise Refusal(
            f"{earlier.label} exits it already and waits to go out: {_why_it_waits(connection, earlier, now)}"
        )
    beside = [_stands(place, order) for order in _may_fill(place, on_the_way(connection, place, now), seen.book)]
    if beside:
        it = "it" if len(beside) == 1 else "them"
        raise Refusal(
            f"{'; '.join(beside)}: with {it}, an exit could turn the position round. "
            f"Cancel {it} first, or wait for {it}; then ask again."
        )
    return replace(exit_, replaces=tuple(replaces))


def reopening(connection: Connection, exits: Iterable[Exit], book: Sequence[BrokerOrder], now: datetime) -> list[str]:
    """What stays after these exits and may open the positions again, in words, with the way to end it."""
    told: list[str] = []
    for exit_ in exits:
        place = replace(exit_.place, side=Side.BUY if exit_.side is Side.SELL else Side.SELL)
        queued = orders.alike(connection, (OrderState.QUEUED,), segment=place.segment, security_id=place.security_id)
        ours = [*on_the_way(connection, place, now), *(order for order in queued if place.has(order))]
        told += [_ends(place, order) for order in _may_fill(place, ours, book)]
    return told


def _ends(place: Place, order: Order | BrokerOrder) -> str:
    name = spoken_name(order.segment, order.symbol)
    if isinstance(order, BrokerOrder):
        return f"{place.side} {order.remaining} {name} (order {order.order_id}, in Dhan's app)"
    is_open = order.state in (OrderState.QUEUED, OrderState.WORKING, OrderState.PART_FILLED)
    way = f"/cancel {order.label}" if is_open else f"/order {order.alert_id}"
    return f"{order.label} {order.side} {order.quantity - order.filled_quantity} {name} ({way})"


def _why_it_waits(connection: Connection, order: Order, now: datetime) -> str:
    """A hold, once its time has come."""
    is_due = order.release_at is None or order.release_at <= now
    return " ".join(controls.holds(connection).values() if is_due else ()) or order.reason


def _is_unsent(connection: Connection, order: Order) -> bool:
    """Whether it provably is not at Dhan, and still may go there."""
    return order.state is not OrderState.NEEDS_OPERATOR or _is_absent(connection, order)


def _decide(instrument: Instrument, product: Product, now: datetime, calendar: Calendar) -> Decision:
    decision = route(
        instrument,
        order_type=OrderType.MARKET,
        amo_time=AmoTime.OPEN,
        now=now,
        calendar=calendar,
        policy=ReleasePolicy.OPEN,
    )
    if decision.reaches_exchange_at is None or decision.window_ends_at is None:
        raise Refusal(f"{decision.reason} Close it in Dhan's app.")
    return _within_its_day(decision, instrument, now, calendar) if product is Product.INTRADAY else decision


def _within_its_day(decision: Decision, instrument: Instrument, now: datetime, calendar: Calendar) -> Decision:
    """An intraday position lives from the first trade of a day until Dhan squares it off: an exit after that would open
    a new one. Raises Refusal when it would come then.
    """
    reaches, here = to_india(decision.reaches_exchange_at or now), to_india(now)
    hours = calendar.day(instrument.segment_class, here.date())
    square_off = hours.square_off if isinstance(hours, Trading) else None
    is_too_late = reaches.date() != here.date() or (square_off is not None and reaches.time() >= square_off)
    if is_too_late or not isinstance(hours, Trading) or here.time() < hours.trades_from:
        since = "" if square_off is None else f" from {spoken_time(square_off)}"
        raise Refusal(
            f"no exit from here now: Dhan squares intraday positions off itself{since}, and a later order would open a "
            "new one. If it is still there, close it in Dhan's app."
        )
    if square_off is None or decision.window_ends_at is None:
        return decision
    ends = datetime.combine(here.date(), square_off, INDIA)
    return replace(decision, window_ends_at=min(decision.window_ends_at, ends))


def write_exits(connection: Connection, exits: Iterable[Exit], *, actor: str, now: datetime) -> list[int]:
    """One alert with its card for each exit, as planned in this transaction; returns their numbers."""
    return [_write_exit(connection, exit_, actor, now) for exit_ in exits]


def _write_exit(connection: Connection, exit_: Exit, actor: str, now: datetime) -> int:
    instrument = exit_.instrument
    words = f"Exit of {exit_.net} {instrument.symbol}, asked for by {actor}."
    alert_id = alerts.add_own(connection, body=json.dumps({"exit": exit_.facts}), reason=words, actor=actor, at=now)
    notifications.open_cards(connection, alert_id, now)
    for order in exit_.replaces:
        to = OrderState.DROPPED if order.state is OrderState.NEEDS_OPERATOR else OrderState.DECLINED
        reason = f"Given up for {alert_id}, the exit of the whole position."
        orders.move(connection, order, to, at=now, actor=actor, reason=reason)
    whole = Ticket(
        order_type=OrderType.MARKET, product=exit_.product, quantity=exit_.quantity, price=None, trigger_price=None
    )
    for place, ticket in enumerate(slices(whole, instrument), start=1):
        row = {"alert_id": alert_id, "position": place, **_what(exit_), **vars(ticket), **_when(exit_.decision, now)}
        row["reason"] = why_queued(place, exit_.decision.reason)
        orders.add(connection, row, at=now, actor=actor)
    return alert_id


def confirmed(connection: Connection, order: Order) -> int:
    """Units of the position that this exit was to close whole, as the operator confirmed it."""
    alert = alerts.get(connection, order.alert_id)
    return abs(json.loads(alert.body)["exit"]["net"]) if alert else order.quantity


def _what(exit_: Exit) -> dict[str, Any]:
    instrument = exit_.instrument
    return {
        "side": exit_.side,
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "segment": instrument.segment,
        "security_id": instrument.security_id,
        "tick": instrument.tick,
        "has_derivatives": instrument.has_derivatives,
        "expiry": instrument.expiry,
        "index_expiry": instrument.index_expiry,
        "amo_time": AmoTime.OPEN,
    }


def _when(decision: Decision, now: datetime) -> dict[str, Any]:
    return {
        "state": OrderState.QUEUED,
        "closes": True,
        "approved_at": now,
        "mode": decision.mode,
        "as_amo": decision.as_amo,
        "release_at": decision.release_at,
        "reaches_exchange_at": decision.reaches_exchange_at,
        "window_ends_at": decision.window_ends_at,
        "expires_at": decision.window_ends_at,
    }
