"""Sending what is due: claim, one POST, write down what became of it. A few orders at a time, each in its own task."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from math import inf
from typing import Any

import structlog
from sqlalchemy import Connection

from core import controls
from core.broker.account import Account
from core.broker.port import Broker, BrokerOrder, Outcome, Refusal, Refused, Unknown, in_book
from core.broker.quotes import Quotes
from core.clock import Clock, Moment, SystemClock, monotonic
from core.db import leases, orders
from core.db.engine import Database
from core.db.writer import T
from core.domain.order import Order
from core.domain.sessions import Calendar
from core.engine import crowd, record
from core.engine.adopt import adopt
from core.engine.brakes import Brakes
from core.engine.claim import Claim, ask_for_our_fault, claim, claim_all, claim_apart, why_not_now
from core.engine.limiter import AHEAD, Limiter
from core.engine.record import Posted, record_all
from core.engine.rules import LeaseLost, Rules
from core.engine.soundness import Asked, Check, Soundness
from core.engine.words import explain
from core.errors import BrokerUnavailable, SignInNeeded, Unavailable
from core.failpoints import Point, reach
from core.logins import Session

log = structlog.get_logger()

ClaimDue = Callable[[Connection, Sequence[Order], Rules], list[Claim]]

AT_ONCE = 32
"""More share a commit, and fewer leave a broker that takes many waiting. Dhan's own limit is below it."""
A_MOMENT = 0.02
TURNS_TO_LEAVE = 10
"""Turns of the loop for the POSTs that have room; with one alone, the desk's own look at its rows came in between."""
TOGETHER = 0.03
WAITS = 1.5
"""Seconds after which a claim is put back: urgent calls, or a rest, took the room that was in sight."""
_FRESH = timedelta(seconds=1)
"""A claim that is older than this when its order leaves is looked at once more; so is each after a look-up."""


@dataclass
class _Batch:
    """What one transaction claims, and when; what follows has room in `wait` seconds."""

    moment: Moment
    claims: list[Claim] = field(default_factory=list[Claim])
    asked_about: list[Order] = field(default_factory=list[Order])
    wait: float | None = None


def _nothing(_connection: Connection, _rules: Rules) -> None:
    """No work comes before the claims."""


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
        quotes: Quotes | None = None,
    ) -> None:
        self._database = database
        self._broker = broker
        self._session = session
        self._calendar = calendar
        self._clock = clock
        self._wall = SystemClock()
        self._limiter = limiter
        self._clock_is_sure = clock_is_sure
        self._brakes = Brakes(database=database, session=session, limiter=limiter)
        self._soundness = Soundness(
            database=database, broker=broker, account=account, session=session, clock=clock, quotes=quotes
        )
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._places: set[int] = set()
        self._asked: set[int] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    async def send_due(self, tasks: asyncio.TaskGroup, wake: asyncio.Event, epoch: int) -> None:
        """Start what is due, as far as there is room; exits do not wait for a place among those under way."""
        if self._closed or not await self._database.read(self._is_anything_due):
            return
        try:
            await self.send_with(_nothing, tasks, wake, epoch)
        except (LeaseLost, Unavailable):
            raise
        except Exception as trouble:  # noqa: BLE001 - one of them brings out a bug of ours, and is named below
            log.warning("orders_not_claimed_together", why=type(trouble).__name__)
            await self.send_with(_nothing, tasks, wake, epoch, claim_due=claim_apart)

    async def send_with(
        self,
        work: Callable[[Connection, Rules], T],
        tasks: asyncio.TaskGroup,
        wake: asyncio.Event,
        epoch: int,
        *,
        claim_due: ClaimDue = claim_all,
    ) -> T:
        """Do `work`, which may make orders due, and claim those in its transaction, as far as there is room at once."""
        batch = _Batch(self._moment())

        def work_and_claim(connection: Connection) -> T:
            batch.moment = self._moment()  # what is read now may have come while this waited for its turn
            rules = self._rules(connection, epoch, batch.moment)
            done = work(connection, rules)
            self._claim_due(connection, batch, rules, claim_due)
            return done

        try:
            done = await self._database.write(work_and_claim)
        except BaseException:
            batch.claims.clear()
            raise
        for claimed in batch.claims:
            self._start(claimed.order, self._send(claimed, batch.moment, epoch), tasks, wake)
        if batch.asked_about:
            asked = self._soundness.ask(batch.asked_about)
            for order in batch.asked_about:
                self._asked.add(order.id)
                self._start(order, self._send_if_sound(order, asked, epoch), tasks, wake)
        self._look_again(batch.wait, wake)
        for _ in range(TURNS_TO_LEAVE if batch.claims else 0):
            await asyncio.sleep(0)  # nothing else is looked at before those have left that need not wait
        return done

    def _look_again(self, wait: float | None, wake: asyncio.Event) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = None
        if wait is not None:
            delay = A_MOMENT if wait == inf else max(wait - AHEAD, A_MOMENT)
            self._alarm = asyncio.get_running_loop().call_later(delay, wake.set)

    async def finish(self, within: float) -> None:
        """Claim nothing more, and let what is under way end; what does not is looked up at the next start."""
        self._closed = True
        until = monotonic() + within
        while self._under_way and monotonic() < until:  # noqa: ASYNC110 - several tasks, no one event
            await asyncio.sleep(0.02)
        for task in self._under_way.values():
            task.cancel()

    def _is_anything_due(self, connection: Connection) -> bool:
        has_place, now = len(self._places) < AT_ONCE, self._clock.now()
        due = orders.due(connection, now, 1, closing=not has_place)
        return bool(due) and not controls.holds(connection)

    def _due(self, connection: Connection, now: datetime) -> list[Order]:
        """What may go now, exits first; only exits while the places are taken."""
        places = AT_ONCE - len(self._places)
        have_room = takewhile(lambda behind: self._limiter.room_in(behind=behind) <= AHEAD, range(places))
        most = len(self._asked) + len(list(have_room)) + 1  # one will have to wait
        due = orders.due(connection, now, most) if places > 0 else []
        if places <= 0 or len(due) == most:
            exits = orders.due(connection, now, len(self._asked) + AT_ONCE, closing=True)
            due = list({order.id: order for order in exits + due}.values())
        fresh = [order for order in due if order.id not in self._under_way]
        exits = [order for order in fresh if order.closes]
        return exits + [order for order in fresh if not order.closes][: max(places, 0)]

    def _claim_due(self, connection: Connection, batch: _Batch, rules: Rules, claim_due: ClaimDue) -> None:
        """Not those that Dhan is asked about first."""
        if self._closed or rules.holds or not (self._session.is_signed_in and self._clock_is_sure()):
            return
        going: list[Order] = []
        for order in self._due(connection, rules.now):
            wait = self._limiter.room_in(urgent=order.closes, behind=len(going))
            if self._soundness.is_in_question(order, rules.now) and not crowd.is_long(wait):
                batch.asked_about.append(order)
            elif wait <= AHEAD:
                going.append(order)
            else:
                batch.wait = wait
                crowd.tell(connection, order, wait, rules.now)
                break
        if batch.asked_about and batch.wait is None:
            batch.wait = 0  # they take no room yet: what is due behind them may have some
        batch.claims = claim_due(connection, going, rules)

    def _start(
        self, order: Order, sending: Coroutine[Any, Any, None], tasks: asyncio.TaskGroup, wake: asyncio.Event
    ) -> None:
        async def send() -> None:
            try:
                await sending
                wake.set()
            finally:
                self._places.discard(order.id)
                self._asked.discard(order.id)
                self._under_way.pop(order.id, None)

        self._places.add(order.id)
        self._under_way[order.id] = tasks.create_task(send())

    async def _send_if_sound(self, order: Order, asked: Asked, epoch: int) -> None:
        """Send it, unless what Dhan says speaks against it. A bug of ours over that costs this order, and no other."""
        try:
            sound = await self._claim_if_sound(order, asked, epoch)
        except (LeaseLost, Unavailable):
            raise
        except Exception:
            log.exception("order_not_looked_into", order=order.label)
            await self._database.write(lambda c: ask_for_our_fault(c, order, self._clock.now()))
            return
        if sound is not None:
            await self._post(*sound, epoch)

    async def _claim_if_sound(self, order: Order, asked: Asked, epoch: int) -> tuple[Claim, Moment] | None:
        checks = await self._soundness.look(order, asked)
        if checks is None:
            return None
        await self._limiter.wait_for_room(urgent=order.closes)
        moment = self._moment()
        claimed = None
        try:
            claimed = await self._database.write(lambda c: self._claim(c, order, epoch, moment, checks))
        finally:
            if claimed is None:
                self._limiter.give_back()
        return None if claimed is None else (claimed, moment)

    async def _send(self, claimed: Claim, moment: Moment, epoch: int) -> None:
        """Send what was claimed at that moment once there is room, unless the desk was stopped while it waited."""
        goes = False
        try:
            async with asyncio.timeout(WAITS), self._limiter.turn(urgent=claimed.order.closes) as has_waited:
                try:
                    goes = not (has_waited and await self._is_too_late(claimed))
                finally:
                    if not goes:
                        self._limiter.give_back()
        except TimeoutError:
            await self._put_back(claimed, "others needed the room that it was to have.")
        if goes:
            await self._post(claimed, moment, epoch)

    async def _post(self, claimed: Claim, moment: Moment, epoch: int) -> None:
        """Send it now, once, and write down what became of it. Its call was counted."""
        try:
            outcome = await self._post_once(claimed, moment, epoch)
        finally:
            self._limiter.answered()
        if isinstance(outcome, Refused) and outcome.refusal is not Refusal.SIGNED_OUT:
            outcome = await self._confirmed(claimed, outcome)
        if outcome is None:
            return
        self._places.discard(claimed.order.id)
        posted = Posted(claim=claimed, outcome=outcome, moment=self._moment())
        if len(self._under_way) > 1:
            await _for_company()
        await self._database.write_grouped(record_all, posted)
        reach(Point.OUTCOME_RECORDED)
        log.info(
            "order_sent", order=claimed.order.label, name=claimed.request.correlation_id, outcome=type(outcome).__name__
        )

    async def _post_once(self, claimed: Claim, moment: Moment, epoch: int) -> Outcome | None:
        """None when nothing was sent after all, which is written down."""
        reach(Point.CLAIMED)
        if claimed.earlier_names and await self._is_there_already(claimed):
            return None
        is_stale = bool(claimed.earlier_names) or not self._is_fresh(moment)
        if is_stale and await self._is_too_late(claimed):
            return None
        if self._wall.now() - moment.wall >= leases.GOOD_FOR and not await self._is_ours(claimed, epoch):
            raise LeaseLost
        serial = self._session.serial
        outcome = await self._broker.place(claimed.request)
        reach(Point.POSTED)
        if isinstance(outcome, Refused | Unknown):
            await self._brakes.heed(outcome, serial, self._moment())
        return outcome

    def _claim(
        self, connection: Connection, seen: Order, epoch: int, moment: Moment, checks: Sequence[Check]
    ) -> Claim | None:
        if self._closed or not (self._session.is_signed_in and self._clock_is_sure()):
            return None
        if controls.holds(connection) or not orders.is_as_seen(connection, seen):
            return None
        order: Order | None = seen
        for check in checks:
            order = order and check(connection, order, moment)
        if order is None:
            return None
        return claim(connection, order, epoch=epoch, now=moment.now, wall=moment.wall, calendar=self._calendar)

    def _rules(self, connection: Connection, epoch: int, moment: Moment) -> Rules:
        return Rules.read(connection, epoch=epoch, now=moment.now, wall=moment.wall, calendar=self._calendar)

    async def _is_too_late(self, claimed: Claim) -> bool:
        """Whether the claim must not be used any more; then its order is back in the queue."""
        words = await self._why_too_late(claimed)
        if words is not None:
            await self._put_back(claimed, words)
        return words is not None

    async def _put_back(self, claimed: Claim, words: str, delay: float = 1) -> None:
        await self._database.write(lambda c: record.not_yet(c, claimed, words, self._moment(), delay=delay))

    async def _why_too_late(self, claimed: Claim) -> str | None:
        """Why the claim must not be used any more: while it waited or was looked up, somebody may have stopped the
        desk, the sign-in have ended, this machine have slept, or a clock have been moved.
        """
        if held := await self._database.read(controls.holds):
            return next(iter(held.values()))
        if self._closed:
            return "the desk was told to end."
        if not self._clock_is_sure():
            return "this machine's clock has moved."
        now, order = self._clock.now(), claimed.order
        if order.expires_at is not None and now >= order.expires_at:
            return "its time window has passed."
        return why_not_now(order, now, claimed.calendar)

    def _is_fresh(self, moment: Moment) -> bool:
        now = self._moment()
        return abs(now.now - moment.now) < _FRESH and abs(now.wall - moment.wall) < _FRESH

    async def _is_ours(self, claimed: Claim, epoch: int) -> bool:
        """A claim that took longer than a lease lasts may be another desk's by now, which looks it up and asks."""
        wall = self._wall.now()
        return await self._database.write(lambda c: leases.hold(c, epoch, wall) and orders.is_as_seen(c, claimed.order))

    async def _is_there_already(self, claimed: Claim) -> bool:
        """Before anything is sent a second time a fresh look-up must say that no earlier try is there."""
        try:
            found = await self._find(claimed.earlier_names)
        except (BrokerUnavailable, SignInNeeded) as trouble:
            words = f"the look-up before sending again failed: {trouble}"
            await self._put_back(claimed, words, delay=record.LOOKS_AGAIN)
            return True
        if found is not None:
            await self._adopt(claimed, found)
        return found is not None

    async def _find(self, names: Sequence[str]) -> BrokerOrder | None:
        """By name, and in the book: each of them may be behind."""
        for name in names:
            if (order := await self._broker.find(name)) is not None:
                return order
        return await in_book(self._broker.book(), names)

    async def _confirmed(self, claimed: Claim, refused: Refused) -> Outcome | None:
        """The refusal, once Dhan was asked for the order all the same; None when it has it, which is written down.

        Without an answer to that a final one counts as no clear answer; the others are looked up before the next try.
        """
        try:
            found = await self._broker.find(claimed.request.correlation_id)
        except (BrokerUnavailable, SignInNeeded) as trouble:
            log.warning("refusal_not_confirmed", name=claimed.request.correlation_id, why=str(trouble))
            return Unknown(words=explain(refused)) if refused.refusal.is_final else refused
        if found is None:
            return refused
        await self._adopt(claimed, found)
        return None

    async def _adopt(self, claimed: Claim, found: BrokerOrder) -> None:
        await self._database.write(lambda connection: adopt(connection, claimed.order, found, self._moment()))

    def _moment(self) -> Moment:
        return Moment(now=self._clock.now(), wall=self._wall.now())


async def _for_company() -> None:
    """Until the same moment for all who come within `TOGETHER` seconds, so that their outcomes share a commit."""
    await asyncio.sleep(TOGETHER - asyncio.get_running_loop().time() % TOGETHER)
