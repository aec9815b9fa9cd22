"""Keeping orders at the broker in step with its book. The book is the truth; our rows follow it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from math import inf

import structlog
from sqlalchemy import Connection

from core import journal, restored
from core.broker.port import ENDED, Broker, BrokerOrder, IncompleteBook, Said
from core.clock import Clock, Moment, SystemClock, monotonic, to_india
from core.db import attempts, changes, orders
from core.db.engine import Database
from core.db.orders import AtBroker
from core.domain.attempt import is_like_ours
from core.domain.order import AT_BROKER, IN_DOUBT, Order, OrderState
from core.engine import unseen
from core.engine.adopt import adopt, alarm_ghost, alarm_late_fill, alarm_twins, follow_together
from core.engine.apart import apart
from core.engine.morning import report_morning
from core.engine.past_days import PastDays, left_behind
from core.engine.settle import SHOWS_WITHIN, adopt_terms, settle_changes
from core.engine.strangers import tell_of_strangers
from core.errors import Unavailable
from core.failpoints import Point, reach

log = structlog.get_logger()

Named = dict[int, list[BrokerOrder]]
"""Rows of the book by the order that they were sent for."""

AT_A_TIME = 32
NAMED_AT_A_TIME = 500
LATE_EVERY = 3.0
LONGEST_REST = 0.1
"""Seconds. As long as some rows took, others have before the next."""
RESTS = 30.0
"""Seconds before what brought out a bug of ours is told again."""


@dataclass(frozen=True)
class _Rows:
    """Some rows of the book: those of one of our orders, `ours`, are together."""

    rows: list[BrokerOrder] = field(default_factory=list[BrokerOrder])
    ours: Named = field(default_factory=Named)


class Reconciler:
    """Remembers what the book said of orders that have ended in it and here: a long one is mostly made of them."""

    def __init__(self, *, database: Database, broker: Broker, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._wall = SystemClock()
        self._ended: dict[str, Said] = {}
        self._day: date | None = None
        self._late: list[Order] = []
        self._asked_what_is_late = -inf
        self._rests_until: dict[str, float] = {}
        self._past_days = PastDays(database=database, broker=broker, clock=clock)

    async def follow_book(self) -> list[Order]:
        """Read the book once and bring our orders in step, some at a time so that others may go out meanwhile.

        Returns the orders that it should show and lacks. Raises BrokerUnavailable, SignInNeeded; IncompleteBook once
        what can be read of it, and followed, is followed, and no more.
        """
        self._forget_past_days()
        read_at = self._wall.now()
        now = self._clock.now()
        touched = await self._database.read(lambda connection: _touched(connection, read_at))
        late = await self._what_is_late(now)
        book, incomplete = await self._read({key: said for key, said in self._ended.items() if key not in touched})
        reach(Point.BOOK_READ)
        moment = self._moment()
        ours = await self._find_ours(book)
        not_followed: list[BrokerOrder] = []
        for some in _some_at_a_time(book, ours):
            began = monotonic()
            not_followed += await self._follow_some(some, moment)
            reach(Point.PART_FOLLOWED)
            await asyncio.sleep(min(monotonic() - began, LONGEST_REST) if len(book) > AT_A_TIME else 0)
        if not_followed:
            book, ours, incomplete = _without(not_followed, book, ours, incomplete)

        def finish(connection: Connection) -> None:
            self._tell(connection, "strangers_not_told", lambda: tell_of_strangers(connection, book, ours, moment))
            _settle_by(connection, book, moment, read_at)
            if incomplete is None or not incomplete.may_hide_ours:
                self._tell(connection, "morning_not_reported", lambda: report_morning(connection, moment.now))

        await self._database.write(finish)
        shown = _by_id(book)
        if incomplete is not None:
            await self._tell_of_kept(late, shown)
            raise incomplete
        left = await self._database.read(lambda connection: left_behind(connection, moment.now, book))
        await self._past_days.close(left)
        return await self._tell_of_kept(late, shown)

    async def _read(self, known: Mapping[str, Said]) -> tuple[list[BrokerOrder], IncompleteBook | None]:
        try:
            return await self._broker.book(known), None
        except IncompleteBook as incomplete:
            return incomplete.orders, incomplete

    async def _find_ours(self, book: list[BrokerOrder]) -> Named:
        """Rows by the order that they were sent for, some at a time."""
        ours: Named = {}
        for start in range(0, len(book), NAMED_AT_A_TIME):
            part = book[start : start + NAMED_AT_A_TIME]
            for owner, rows in (await self._database.read(lambda c, part=part: _by_our_names(c, part))).items():
                ours.setdefault(owner, []).extend(rows)
            await asyncio.sleep(0)
        return ours

    async def _follow_some(self, some: _Rows, moment: Moment) -> list[BrokerOrder]:
        """Returns those that bring out a bug of ours: it costs them, and no others."""
        try:
            await self._database.write(lambda connection: self._follow(connection, some, moment))
        except Unavailable:
            raise
        except Exception as trouble:
            if not some.rows:
                raise
            apart = _some_at_a_time(some.rows, some.ours, most=1)
            if len(apart) == 1:
                log.exception("order_not_followed", at_dhan=some.rows[0].order_id)
                return some.rows
            log.warning("orders_not_followed_together", why=type(trouble).__name__)
            return [row for each in apart for row in await self._follow_some(each, moment)]
        return []

    def _follow(self, connection: Connection, some: _Rows, moment: Moment) -> None:
        follow_rows(connection, some, moment)
        over = _by_id([row for row in some.rows if row.state in ENDED])
        ended = [order for order in orders.with_broker_ids(connection, over) if _has_ended(order)]
        fills = {order.broker_order_id: order.filled_quantity for order in ended}
        agreed = {key: row.said for key, row in over.items() if fills.get(key) == row.filled_quantity}
        self._database.after_commit(lambda: self._ended.update(agreed))

    async def _what_is_late(self, now: datetime) -> list[Order]:
        """What this book has to show by now; not asked at every book, since in a rush thousands are open."""
        if monotonic() - self._asked_what_is_late >= LATE_EVERY:
            self._asked_what_is_late = monotonic()
            self._late = await self._database.read(lambda connection: unseen.unseen(connection, now))
        return self._late

    def _forget_past_days(self) -> None:
        today = to_india(self._clock.now()).date()
        if today != self._day:
            self._ended, self._day = {}, today

    def _tell(self, connection: Connection, event: str, tell: Callable[[], None]) -> None:
        """What is said beside the orders: a bug of ours in it is logged as `event`, and the orders go on."""
        if monotonic() < self._rests_until.get(event, -inf):
            return
        with apart(connection, event) as trial:
            tell()
        if trial.has_failed:
            self._rests_until[event] = monotonic() + RESTS

    async def _tell_of_kept(self, late: list[Order], shown: dict[str, BrokerOrder]) -> list[Order]:
        """Of what Dhan took long before the book, ring about what it keeps back; returns what the book lacks."""
        if late:
            late = await self._database.read(lambda connection: unseen.still_unseen(connection, late))
        moment = self._moment()
        kept = [
            (order, shown[order.broker_order_id].status)
            for order in late
            if order.broker_order_id in shown and unseen.is_kept(order, moment.now)
        ]
        if kept:
            await self._database.write(lambda c: [unseen.tell_kept(c, *each, moment) for each in kept[:AT_A_TIME]])
        return [order for order in late if order.broker_order_id not in shown]

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), wall=self._wall.now())


def follow_all(
    connection: Connection, book: list[BrokerOrder], moment: Moment, read_at: datetime | None = None
) -> None:
    """Apply the book to our orders: to those at the broker, and to every one that the book has under a name of ours.

    `read_at` is the machine's time at which the book was asked for; what happened later it need not show.
    """
    ours = _by_our_names(connection, book)
    for some in _some_at_a_time(book, ours):
        follow_rows(connection, some, moment)
    tell_of_strangers(connection, book, ours, moment)
    _settle_by(connection, book, moment, read_at or moment.wall)


def _settle_by(connection: Connection, book: list[BrokerOrder], moment: Moment, read_at: datetime) -> None:
    """Decide changes by the book as a whole, once its rows are followed."""
    if changes.touched_since(connection, moment.wall - SHOWS_WITHIN):
        settle_changes(connection, _by_id(book), read_at=read_at, moment=moment)


def _touched(connection: Connection, read_at: datetime) -> set[str | None]:
    """Ids at the broker of orders with a change of which the book is to tell."""
    touched = orders.some(connection, changes.touched_since(connection, read_at - SHOWS_WITHIN))
    return {order.broker_order_id for order in touched}


def follow_rows(connection: Connection, some: _Rows, moment: Moment) -> None:
    """Bring the orders of these rows in step."""
    touched, ours = changes.touched_since(connection, moment.wall - SHOWS_WITHIN), some.ours
    by_id = _by_id(some.rows)
    at_broker = [order for order in orders.with_broker_ids(connection, by_id) if order.state in AT_BROKER]
    for order in _follow_own_rows(connection, at_broker, by_id, moment, touched):
        _look_for_more(connection, order, ours.get(order.id, []), moment)
    there = orders.at_broker_as(connection, ours.keys() - {order.id for order in at_broker})
    odd = [order_id for order_id, own in there.items() if own is None or _has_more(ours[order_id], own)]
    for order in orders.some(connection, odd):
        theirs = ours[order.id]
        doubted = _doubt_its_refusal(connection, order, theirs, moment)
        if doubted.state in IN_DOUBT:
            adopt(connection, doubted, next((row for row in theirs if row.stands), theirs[0]), moment)
        _look_for_more(connection, orders.get(connection, order.id), theirs, moment)


def follow_found(connection: Connection, order: Order, found: BrokerOrder, moment: Moment) -> None:
    """Bring an order in step with what a look-up of it found."""
    follow_rows(connection, _Rows([found], {order.id: [found]}), moment)


def _without(
    rows: list[BrokerOrder], book: list[BrokerOrder], ours: Named, incomplete: IncompleteBook | None
) -> tuple[list[BrokerOrder], Named, IncompleteBook]:
    """The book as if these rows of it could not be read."""
    gone = {id(row) for row in rows}
    rest = [row for row in book if id(row) not in gone]
    unread, left_out = (incomplete.unread, incomplete.left_out) if incomplete else ([], 0)
    named = [row.correlation_id for row in rows]
    kept = {owner: own for owner, own in ours.items() if id(own[0]) not in gone}
    return rest, kept, IncompleteBook(rest, unread + named, left_out)


def _some_at_a_time(book: list[BrokerOrder], ours: Named, most: int = AT_A_TIME) -> list[_Rows]:
    """The book in parts, at least one."""
    of_order = {id(row): owner for owner, rows in ours.items() for row in rows}
    parts = [_Rows()]
    for row in book:
        owner = of_order.get(id(row))
        if owner is not None and ours[owner][0] is not row:
            continue  # it went with the first one of its order
        if len(parts[-1].rows) >= most:
            parts.append(_Rows())
        if owner is None:
            parts[-1].rows.append(row)
        else:
            parts[-1].rows.extend(ours[owner])
            parts[-1].ours[owner] = ours[owner]
    return parts


def _by_id(rows: list[BrokerOrder]) -> dict[str, BrokerOrder]:
    return {row.order_id: row for row in rows}


def _by_our_names(connection: Connection, book: list[BrokerOrder]) -> Named:
    """Rows by the order that they were sent for: any of its attempts may turn up, however late."""
    names = {row.correlation_id for row in book if row.correlation_id}
    owners = attempts.owners(connection, names)
    if unknown := {name for name in names - owners.keys() if is_like_ours(name)}:
        owners |= restored.owners(connection, unknown)
    rows: dict[int, list[BrokerOrder]] = {}
    for row in book:
        if row.correlation_id in owners:
            rows.setdefault(owners[row.correlation_id], []).append(row)
    return rows


def _follow_own_rows(
    connection: Connection, at_broker: list[Order], by_id: dict[str, BrokerOrder], moment: Moment, touched: set[int]
) -> list[Order]:
    """Bring them to where the book says they are; their terms, too, unless a change of our own is under way."""
    reports = [(order, by_id[order.broker_order_id or ""]) for order in at_broker]
    followed = follow_together(connection, reports, moment)
    return [
        order if order.id in touched or order.state not in AT_BROKER else adopt_terms(connection, order, report, moment)
        for order, (_, report) in zip(followed, reports, strict=True)
    ]


def _doubt_its_refusal(connection: Connection, order: Order, rows: list[BrokerOrder], moment: Moment) -> Order:
    """One that would be sent again, and is there all the same, must not be."""
    if order.state is not OrderState.QUEUED or _waits_long(order, moment.now) or not _standing(rows):
        return order
    words = "Dhan did not take it, and has it all the same."
    doubted = orders.move(connection, order, OrderState.UNKNOWN, at=moment.now, actor=journal.DHAN, reason=words)
    return doubted or order


def _look_for_more(connection: Connection, order: Order, rows: list[BrokerOrder], moment: Moment) -> None:
    """Alarm when Dhan has more for this order than we say."""
    standing = _standing(rows)
    if order.broker_order_id is not None:
        standing.add(order.broker_order_id)
        filled = max((row.filled_quantity for row in rows if row.order_id == order.broker_order_id), default=0)
        if len(standing) > 1:
            alarm_twins(connection, order, sorted(standing), moment)
        elif _has_ended(order) and filled > order.filled_quantity:
            alarm_late_fill(connection, order, filled, moment)
    elif standing and (_waits_long(order, moment.now) or _has_ended(order)):
        alarm_ghost(connection, order, sorted(standing), moment)


def _has_more(rows: list[BrokerOrder], own: AtBroker) -> bool:
    """Whether Dhan has another order than our own one for this, or has filled more of it than we know."""
    return any(row.order_id != own.order_id or row.filled_quantity > own.filled for row in rows if row.stands)


def _has_ended(order: Order) -> bool:
    return order.state.is_final and order.state not in IN_DOUBT


def _waits_long(order: Order, now: datetime) -> bool:
    if order.state is OrderState.AWAITING_APPROVAL:
        return True
    return order.state is OrderState.QUEUED and order.release_at is not None and order.release_at > now


def _standing(rows: list[BrokerOrder]) -> set[str]:
    return {row.order_id for row in rows if row.stands}
