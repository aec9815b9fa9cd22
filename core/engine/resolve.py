"""Orders in doubt: look them up by our name and in the day book, and ask a person in the end. Nothing is sent here.

What the book should show and lacks is looked up, too, and is in doubt once Dhan does not have it under our name either.
Absence is proven by three good answers from both sources on the order's own day, the last of them later than any byte
could still be on its way. A look-up that fails proves nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import inf

import structlog
from sqlalchemy import Connection

from core import journal, notifications
from core.broker.port import Broker, BrokerOrder, in_book
from core.clock import Clock, Moment, SystemClock, monotonic, to_india
from core.db import attempts, orders
from core.db.attempts import Attempt
from core.db.engine import Database
from core.db.writer import Work
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import unseen
from core.engine.adopt import adopt
from core.engine.apart import apart
from core.engine.limiter import Limiter, Window
from core.engine.reconcile import follow_found
from core.errors import BrokerUnavailable, SignInNeeded
from core.failpoints import Point, reach
from core.logins import Session

log = structlog.get_logger()

LOOK_UPS = Window(10, 1)
"""Under way at once, and begun in a second: half of what Dhan takes of reads (Dhan API v2 docs, Rate Limit)."""
SETTLES_AFTER = timedelta(seconds=60)
ENOUGH_ABSENCES = 3
_LOOKUPS_AT = (1, 3, 8, 20, 45, 75)
_THEN_EVERY = 30
_DAY_IS_OVER = (
    "Dhan's book knows today only, so no look-up can tell any more whether it was placed. "
    "Look for it among your trades and holdings in Dhan's app, then drop it here."
)
_OUR_FAULT = (
    "The desk made a mistake over what Dhan says of it, and looks it up no more; the log says why. "
    "Whether it was placed is not known here: look for it in Dhan's app, then drop it here."
)
_ABSENT = (
    "Dhan does not have it, as far as {absences} look-ups over {seconds:.0f} s can tell. It was not sent again: "
    "send it again, or drop it?"
)


@dataclass(frozen=True, kw_only=True)
class _Round:
    """Look-ups that are due together. Machine time, and the token in force, are those of its beginning."""

    asked_at: datetime
    serial: int
    book: Callable[[], Awaitable[list[BrokerOrder]]]


class Resolver:
    def __init__(self, *, database: Database, broker: Broker, session: Session, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._session = session
        self._clock = clock
        self._wall = SystemClock()
        self._pace = Limiter([LOOK_UPS])
        self._lacking: list[Order] = []
        self._looked_up: dict[int, float] = {}

    def book_lacks(self, lacking: list[Order]) -> None:
        """What the last whole book should show and does not; it is looked up as well."""
        self._lacking = lacking
        self._looked_up = {order.id: self._looked_up.get(order.id, -inf) for order in lacking}

    async def look_up_due(self) -> None:
        """Look up every attempt in doubt whose time has come, several at once; the book is read once for all of them.

        Without a sign-in there is nothing to ask with.
        """
        if not self._session.is_signed_in:
            return
        wall, serial = self._wall.now(), self._session.serial
        doubtful = await self._database.read(lambda connection: attempts.due_for_lookup(connection, wall))
        book = cache(lambda: asyncio.create_task(self._broker.book()))
        async with asyncio.TaskGroup() as tasks:
            for attempt in doubtful:
                tasks.create_task(self._look_up(attempt, _Round(asked_at=wall, serial=serial, book=book)))
            for order in self._lacking_in_turn():
                tasks.create_task(self._look_for(order, serial))

    def _lacking_in_turn(self) -> list[Order]:
        """Some of what the book lacks, those that were looked up longest ago."""
        lately = monotonic() - unseen.LOOK_UP_EVERY
        due = [order for order in self._lacking if self._looked_up[order.id] <= lately]
        chosen = sorted(due, key=lambda order: self._looked_up[order.id])[: unseen.LOOKED_UP_AT_ONCE]
        self._looked_up |= dict.fromkeys((order.id for order in chosen), monotonic())
        return chosen

    async def _look_for(self, order: Order, serial: int) -> None:
        """An order that the book lacks. Without an answer nobody knows more of it than before."""
        attempt = await self._database.read(lambda connection: unseen.accepted(connection, order))
        found = None
        try:
            if attempt is not None:
                found = await self._find(attempt.correlation_id)
        except SignInNeeded as trouble:
            await self._session.die(str(trouble), serial)
            return
        except BrokerUnavailable as trouble:
            log.warning("unseen_not_looked_up", order=order.label, why=str(trouble))
            attempt = None
        moment = Moment(now=self._clock.now(), wall=self._wall.now())

        def conclude(connection: Connection) -> None:
            if order.id not in self._looked_up or not orders.is_as_seen(connection, order):
                return  # a later book has it
            if found is not None:
                follow_found(connection, order, found, moment)
                unseen.tell_kept(connection, orders.get(connection, order.id), found.status, moment)
            elif attempt is None:
                unseen.tell_not_shown(connection, order, moment)
            else:
                unseen.doubt(connection, order, attempt, moment)

        await self._write_down(order.label, conclude, lambda c: unseen.tell_not_shown(c, order, moment))

    async def _look_up(self, attempt: Attempt, its: _Round) -> None:
        name, found, answered = attempt.correlation_id, None, True

        async def read_book(name: str) -> BrokerOrder | None:
            return await in_book(its.book(), [name])

        for look in (self._find, read_book):
            try:
                found = found or await look(name)
            except (BrokerUnavailable, SignInNeeded) as trouble:
                log.warning("lookup_failed", name=name, why=str(trouble))
                answered = False
                if isinstance(trouble, SignInNeeded):
                    await self._session.die(str(trouble), its.serial)
        reach(Point.LOOKED_UP)
        moment = Moment(now=self._clock.now(), wall=its.asked_at)  # what is absent was so then, not when Dhan said it
        await self._write_down(
            name, lambda c: _conclude(c, attempt, found, answered, moment), lambda c: _give_up(c, attempt, moment)
        )

    async def _write_down(self, name: str, work: Work[None], otherwise: Work[None]) -> None:
        """`otherwise` where the work brings out a bug of ours: it costs this order, and no other."""

        def write(connection: Connection) -> None:
            with apart(connection, "lookup_not_written_down", name=name) as trial:
                work(connection)
            if trial.has_failed:
                otherwise(connection)

        await self._database.write(write)

    async def _find(self, name: str) -> BrokerOrder | None:
        await self._pace.wait_for_room()
        try:
            return await self._broker.find(name)
        finally:
            self._pace.answered()


def _conclude(
    connection: Connection, attempt: Attempt, found: BrokerOrder | None, answered: bool, moment: Moment
) -> None:
    order = orders.get(connection, attempt.order_id)
    if order.state is not OrderState.UNKNOWN:
        return
    if found is not None:
        adopt(connection, order, found, moment)
        return
    if order.broker_day < to_india(moment.now).date():
        attempts.doubt(connection, attempt.id, next_lookup_at=None, words="its day was over before it was found")
        _ask(connection, order, _DAY_IS_OVER, moment)
        return
    if attempt.claimed_at > moment.wall:
        attempt = attempts.begin_again(connection, attempt, moment.wall)
    age = (moment.wall - attempt.claimed_at).total_seconds()
    later = next((after - age for after in _LOOKUPS_AT if after > age), _THEN_EVERY)
    attempt = attempts.looked_up(
        connection, attempt, absent=answered, next_lookup_at=moment.wall + timedelta(seconds=later)
    )
    if not answered or attempt.absences < ENOUGH_ABSENCES or age < SETTLES_AFTER.total_seconds():
        return
    attempts.settle(connection, attempt.id, AttemptState.ABSENT, at=moment.wall)
    _ask(connection, order, _ABSENT.format(absences=attempt.absences, seconds=age), moment)


def _give_up(connection: Connection, attempt: Attempt, moment: Moment) -> None:
    order = orders.get(connection, attempt.order_id)
    if order.state is OrderState.UNKNOWN:
        attempts.doubt(connection, attempt.id, next_lookup_at=None, words="what Dhan says of it was not written down")
        _ask(connection, order, _OUR_FAULT, moment)


def _ask(connection: Connection, order: Order, words: str, moment: Moment) -> None:
    asked = orders.move(connection, order, OrderState.NEEDS_OPERATOR, at=moment.now, actor=journal.DESK, reason=words)
    if asked is not None:
        notifications.ring_order(connection, Notice.NEEDS_OPERATOR, asked, at=moment.now, words=words)


def doubt_unfinished(connection: Connection, moment: Moment) -> int:
    """At start: whatever was being sent when the desk stopped is in doubt. Returns how many."""
    for attempt in attempts.open_attempts(connection):
        attempts.doubt(connection, attempt.id, next_lookup_at=moment.wall, words="the desk stopped while sending it")
    submitting = orders.in_states(connection, [OrderState.SUBMITTING])
    for order in submitting:
        orders.move(
            connection,
            order,
            OrderState.UNKNOWN,
            at=moment.now,
            actor=journal.DESK,
            reason="The desk stopped while sending it: looking it up at Dhan.",
        )
    return len(submitting)
