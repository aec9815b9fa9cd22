"""Sending changes to orders that Dhan has: written down, sent once, answered; what became of them the book says.

Cancellations pass every hold, since they take risk away. Changes of terms do not: they may add to it.
"""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from core import controls
from core.broker.port import Accepted, Broker, ChangeRequest, NotSent, Outcome, Refusal, Refused, Unknown
from core.changes import ENDED_BEFORE, cancellations_held_up, say_that_it_left, say_that_it_waits
from core.clock import Clock, Moment, SystemClock
from core.db import changes, leases, orders
from core.db.changes import Change
from core.db.engine import Database
from core.domain.alert import OrderType
from core.domain.change import ChangeKind, ChangeState, Verdict
from core.domain.order import Order
from core.engine.brakes import Brakes
from core.engine.limiter import Limiter
from core.engine.rules import LeaseLost
from core.engine.settle import fail
from core.engine.words import explain
from core.failpoints import Point, reach
from core.logins import Session

log = structlog.get_logger()

AT_ONCE = 4
_BACK_OFF = (0.5, 1, 2, 4, 8, 16, 32)  # seconds: longer than the minute for which a limit of Dhan's may be used up
MOST_POSTS = len(_BACK_OFF) + 1


class Changer:
    """Sends wanted changes. Like the dispatcher it claims before it sends; unlike it, a call may be repeated safely."""

    def __init__(self, *, database: Database, broker: Broker, session: Session, clock: Clock, limiter: Limiter) -> None:
        self._database = database
        self._broker = broker
        self._session = session
        self._clock = clock
        self._wall = SystemClock()
        self._limiter = limiter
        self._brakes = Brakes(database=database, session=session, limiter=limiter)
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._closed = False

    async def send_due(self, tasks: asyncio.TaskGroup, epoch: int) -> None:
        """Start what is due: changes of terms as far as there is room, cancellations without waiting for any."""
        if self._closed:
            return
        if not self._session.is_signed_in:
            await self._say_what_waits()
            return
        wall, room = self._wall.now(), max(AT_ONCE - len(self._under_way), 0)
        wanted = await self._database.read(lambda c: changes.due(c, wall, len(self._under_way) + 2 * AT_ONCE))
        fresh = [change for change in wanted if change.id not in self._under_way]
        cancels = [change for change in fresh if change.kind is ChangeKind.CANCEL]
        others = [change for change in fresh if change.kind is not ChangeKind.CANCEL]
        for change in cancels + others[:room]:
            self._under_way[change.id] = tasks.create_task(self._send(change, epoch))

    async def finish(self, within: float) -> None:
        """Start nothing more, and let what is under way end; what does not is sent, or read in the book, later."""
        self._closed = True
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=within)
        for task in self._under_way.values():
            task.cancel()

    async def _say_what_waits(self) -> None:
        held_up = await self._database.read(cancellations_held_up)
        if held_up:
            at = self._clock.now()
            await self._database.write(lambda c: [say_that_it_waits(c, order, at=at) for order in held_up])

    async def _send(self, change: Change, epoch: int) -> None:
        try:
            await self._limiter.wait_for_room(urgent=change.kind is ChangeKind.CANCEL)
            order = await self._claim(change, epoch)
            if order is None:
                return
            reach(Point.CHANGE_CLAIMED)
            serial = self._session.serial
            try:
                outcome = await self._call(change, order)
            finally:
                self._limiter.answered()
            reach(Point.CHANGE_POSTED)
            if isinstance(outcome, Refused | Unknown):
                await self._brakes.heed(outcome, serial, self._moment())
            await self._database.write(lambda c: record(c, change, outcome, self._moment()))
            log.info("change_sent", order=order.label, kind=change.kind, outcome=type(outcome).__name__)
        finally:
            self._under_way.pop(change.id, None)

    async def _claim(self, change: Change, epoch: int) -> Order | None:
        order = None
        try:
            order = await self._database.write(lambda c: _claim(c, change, epoch, self._moment()))
        finally:
            if order is None:
                self._limiter.give_back()
        return order

    async def _call(self, change: Change, order: Order) -> Outcome:
        broker_order_id = order.broker_order_id or ""
        if change.kind is ChangeKind.CANCEL:
            return await self._broker.cancel(broker_order_id)
        return await self._broker.modify(change_request(order, change))

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), wall=self._wall.now())


def change_request(order: Order, change: Change) -> ChangeRequest:
    """The whole order as it shall be. A market order rests at Dhan as a limit, and stays one under its new price."""
    return ChangeRequest(
        order_id=order.broker_order_id or "",
        order_type=OrderType.LIMIT if order.order_type is OrderType.MARKET else order.order_type,
        quantity=change.quantity or order.quantity,
        price=change.price or order.price,
        trigger_price=change.trigger_price or order.trigger_price,
        validity=order.validity,
    )


def _claim(connection: Connection, change: Change, epoch: int, moment: Moment) -> Order | None:
    """The order, and the right to one call about it; None when the change may not go now. Raises LeaseLost."""
    if not leases.hold(connection, epoch, moment.wall):
        raise LeaseLost
    order = orders.get(connection, change.order_id)
    if not order.state.is_at_broker or order.broker_order_id is None:
        changes.update_from(connection, change, state=ChangeState.FAILED, words=ENDED_BEFORE)
        return None
    if change.kind is ChangeKind.MODIFY and (held := controls.holds(connection)):
        fail(connection, change, order, next(iter(held.values())), moment)
        return None
    values = {"sent_at": moment.wall, "posts": change.posts + 1}
    if not changes.update_from(connection, change, state=ChangeState.SENT, **values):
        return None
    if change.kind is ChangeKind.CANCEL:
        say_that_it_left(connection, order, at=moment.now)
    return order


def record(connection: Connection, change: Change, outcome: Outcome, moment: Moment) -> None:
    """Write down what the answer said. Only what provably had no effect is sent again from here."""
    sent = next((c for c in changes.in_states(connection, [ChangeState.SENT]) if c.id == change.id), None)
    if sent is None:
        return
    match outcome:
        case Accepted():
            _answered(connection, sent, Verdict.TAKEN, "Dhan took it.", moment)
        case Unknown():
            _answered(connection, sent, Verdict.UNKNOWN, outcome.words, moment)
        case NotSent():
            _later(connection, sent, f"Not sent: {outcome.words}.", moment)
        case Refused() if outcome.refusal in (Refusal.IN_TRANSIT, Refusal.RATE_LIMITED, Refusal.SIGNED_OUT):
            _later(connection, sent, explain(outcome), moment)
        case Refused():
            _answered(connection, sent, Verdict.REFUSED, explain(outcome), moment)


def _answered(connection: Connection, change: Change, verdict: Verdict, words: str, moment: Moment) -> None:
    values = {"verdict": verdict, "words": words, "answered_at": moment.wall}
    changes.update_from(connection, change, state=ChangeState.ANSWERED, **values)


def _later(connection: Connection, change: Change, words: str, moment: Moment) -> None:
    if change.posts >= MOST_POSTS:
        fail(connection, change, orders.get(connection, change.order_id), words, moment)
        return
    due = moment.wall + timedelta(seconds=_BACK_OFF[change.posts - 1])
    changes.update_from(connection, change, state=ChangeState.WANTED, due_at=due, words=words)


def doubt_unfinished(connection: Connection, moment: Moment) -> None:
    """At start: whatever was being sent when the desk stopped is for the book to decide."""
    for change in changes.in_states(connection, [ChangeState.SENT]):
        _answered(connection, change, Verdict.UNKNOWN, "the desk stopped while sending it", moment)
