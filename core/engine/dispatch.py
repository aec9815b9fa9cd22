"""Sending what is due: claim, one POST, write down what became of it. A few orders at a time, each in its own task."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from core import controls
from core.broker.account import Account
from core.broker.port import Broker, BrokerOrder, Refusal, Refused
from core.clock import Clock, SystemClock, monotonic
from core.db import leases, orders
from core.db.engine import Database
from core.db.writer import T, Work
from core.domain.order import Order
from core.domain.sessions import Calendar
from core.engine import cover, record
from core.engine.adopt import adopt
from core.engine.claim import Claim, LeaseLost, claim, why_not_now
from core.engine.limiter import Limiter
from core.engine.record import Moment
from core.errors import BrokerUnavailable, SignInNeeded
from core.failpoints import Point, reach
from core.logins import Session

log = structlog.get_logger()

AT_ONCE = 8
REST = 1.0
_A_MOMENT = timedelta(seconds=1)


class Dispatcher:
    """Claims and sends due orders. `wake` is called when one is done, since its followers may be due."""

    def __init__(
        self,
        *,
        database: Database,
        broker: Broker,
        account: Account,
        session: Session,
        calendar: Calendar,
        clock: Clock,
        limiter: Limiter,
        clock_is_sure: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._broker = broker
        self._account = account
        self._session = session
        self._calendar = calendar
        self._clock = clock
        self._wall = SystemClock()
        self._limiter = limiter
        self._clock_is_sure = clock_is_sure
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._closed = False

    async def send_with(self, work: Work[T], tasks: asyncio.TaskGroup, wake: asyncio.Event, epoch: int) -> T:
        """Do `work`, which may make orders due, and claim those in its transaction, as far as there is room at once."""
        room = 0 if self._closed else max(AT_ONCE - len(self._under_way), 0)
        taken = self._limiter.take_room(room)
        moment = self._moment()

        def work_and_claim(connection: Connection) -> tuple[T, list[Claim]]:
            return work(connection), self._claim_due(connection, len(taken), epoch, moment)

        used = 0
        try:
            done, claims = await self._database.write(work_and_claim)
            used = len(claims)
        finally:
            for unused in taken[used:]:
                self._limiter.give_back(unused)
        for claimed in claims:
            sending = self._post_and_wake(claimed, moment, epoch, wake)
            self._under_way[claimed.order.id] = tasks.create_task(sending)
        await asyncio.sleep(0)  # they leave before anything else is looked at
        return done

    async def send_due(self, tasks: asyncio.TaskGroup, wake: asyncio.Event, epoch: int) -> None:
        """Start what is due, as far as there is room; exits do not wait for room."""
        if self._closed:
            return
        room = AT_ONCE - len(self._under_way)
        due = await self._database.read(lambda c: self._due(c, only_exits=room <= 0))
        fresh = [order for order in due if order.id not in self._under_way]
        exits = [order for order in fresh if order.closes]
        others = [order for order in fresh if not order.closes]
        for order in exits + others[: max(room, 0)]:
            self._under_way[order.id] = tasks.create_task(self._send(order, epoch, wake))

    async def finish(self, within: float) -> None:
        """Claim nothing more, and let what is under way end; what does not is looked up at the next start."""
        self._closed = True
        until = monotonic() + within
        while self._under_way and monotonic() < until:  # noqa: ASYNC110 - several tasks, no one event
            await asyncio.sleep(0.02)
        for task in self._under_way.values():
            task.cancel()

    def _due(self, connection: Connection, *, only_exits: bool) -> list[Order]:
        if controls.holds(connection):
            return []
        now = self._clock.now()
        due = [] if only_exits else orders.due(connection, now, 2 * AT_ONCE)
        if not only_exits and len(due) < 2 * AT_ONCE:
            return due
        exits = orders.due(connection, now, AT_ONCE, closing=True)
        return list({order.id: order for order in exits + due}.values())

    async def _send(self, order: Order, epoch: int, wake: asyncio.Event) -> None:
        try:
            if await self._send_one(order, epoch):
                wake.set()
        finally:
            self._under_way.pop(order.id, None)

    async def _send_one(self, order: Order, epoch: int) -> bool:
        """True when the order was claimed or asked about, whatever became of it."""
        if cover.needs_cover(order) and await self._is_uncovered(order):
            return True
        taken = await self._limiter.wait_for_room(urgent=order.closes)
        moment = self._moment()
        claimed = await self._database.write(lambda connection: self._claim(connection, order, epoch, moment))
        if claimed is None:
            self._limiter.give_back(taken)
            return False
        await self._post(claimed, moment, epoch)
        return True

    async def _post_and_wake(self, claimed: Claim, moment: Moment, epoch: int, wake: asyncio.Event) -> None:
        try:
            await self._post(claimed, moment, epoch)
            wake.set()
        finally:
            self._under_way.pop(claimed.order.id, None)

    async def _post(self, claimed: Claim, moment: Moment, epoch: int) -> None:
        """Send what was claimed at that moment, once, and write down what became of it."""
        reach(Point.CLAIMED)
        if claimed.earlier_names and await self._is_there_already(claimed):
            return
        if self._wall.now() - moment.wall >= leases.LASTS and not await self._is_ours(claimed, epoch):
            raise LeaseLost
        if (words := self._why_too_late(claimed, moment)) is not None:
            await self._database.write(lambda connection: record.not_yet(connection, claimed, words, self._moment()))
            return
        serial = self._session.serial
        outcome = await self._broker.place(claimed.request)
        reach(Point.POSTED)
        if isinstance(outcome, Refused):
            if outcome.refusal is Refusal.SIGNED_OUT:
                await self._session.die(outcome.words, serial)
            elif outcome.refusal is Refusal.RATE_LIMITED:
                self._limiter.rest(REST)
            if outcome.refusal is not Refusal.SIGNED_OUT and await self._is_there_in_spite_of_it(claimed):
                return
        await self._database.write(lambda connection: record.record(connection, claimed, outcome, self._moment()))
        reach(Point.OUTCOME_RECORDED)
        log.info(
            "order_sent", order=claimed.order.label, name=claimed.request.correlation_id, outcome=type(outcome).__name__
        )

    def _claim_due(self, connection: Connection, most: int, epoch: int, moment: Moment) -> list[Claim]:
        """Not those that are asked about at Dhan first."""
        due = self._due(connection, only_exits=False) if most else []
        free = [order for order in due if order.id not in self._under_way and not cover.needs_cover(order)]
        claims = (self._claim(connection, order, epoch, moment) for order in free[:most])
        return [claimed for claimed in claims if claimed is not None]

    def _claim(self, connection: Connection, order: Order, epoch: int, moment: Moment) -> Claim | None:
        if not (self._session.is_signed_in and self._clock_is_sure()):
            return None
        return claim(connection, order, epoch=epoch, now=moment.now, wall=moment.wall, calendar=self._calendar)

    async def _is_uncovered(self, order: Order) -> bool:
        """Whether the sale would be refused, so that the operator is asked instead; once, and only when it is known."""
        if await self._database.read(lambda connection: cover.was_asked(connection, order)):
            return False
        words = await cover.why_uncovered(self._account, order)
        if words is None:
            return False
        await self._database.write(lambda connection: cover.ask_about(connection, order, words, self._moment()))
        return True

    def _why_too_late(self, claimed: Claim, moment: Moment) -> str | None:
        """Why the claim must not be used any more: this machine may have slept since, or a clock have been moved."""
        now, order = self._clock.now(), claimed.order
        if abs(now - moment.now) < _A_MOMENT and abs(self._wall.now() - moment.wall) < _A_MOMENT:
            return None
        if not self._clock_is_sure():
            return "this machine's clock has moved."
        if order.expires_at is not None and now >= order.expires_at:
            return "its time window has passed."
        return why_not_now(order, now, claimed.calendar)

    async def _is_ours(self, claimed: Claim, epoch: int) -> bool:
        """A claim that took longer than a lease lasts may be another desk's by now, which looks it up and asks."""
        wall = self._wall.now()
        return await self._database.read(
            lambda c: leases.is_held(c, epoch, wall) and orders.is_as_seen(c, claimed.order)
        )

    async def _is_there_already(self, claimed: Claim) -> bool:
        """Before anything is sent a second time a fresh look-up must say that no earlier try is there."""
        try:
            found = [await self._broker.find(name) for name in claimed.earlier_names]
        except (BrokerUnavailable, SignInNeeded) as trouble:
            words = f"the look-up before sending again failed: {trouble}"
            await self._database.write(lambda connection: record.not_yet(connection, claimed, words, self._moment()))
            return True
        return await self._adopt(claimed, next(filter(None, found), None))

    async def _is_there_in_spite_of_it(self, claimed: Claim) -> bool:
        """Dhan refused it, and has it all the same? A look-up that fails leaves the refusal standing."""
        try:
            found = await self._broker.find(claimed.request.correlation_id)
        except (BrokerUnavailable, SignInNeeded) as trouble:
            log.warning("refusal_not_confirmed", name=claimed.request.correlation_id, why=str(trouble))
            return False
        return await self._adopt(claimed, found)

    async def _adopt(self, claimed: Claim, found: BrokerOrder | None) -> bool:
        if found is None:
            return False
        await self._database.write(lambda connection: adopt(connection, claimed.order, found, self._moment()))
        return True

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), wall=self._wall.now())
