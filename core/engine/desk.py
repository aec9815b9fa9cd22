"""The desk's engine: one asyncio process that owns the loops. It holds the lease, or it waits for it.

Any unexpected error ends the process: it is started again and reads the truth from the rows. Telegram has no part in
this but to be written to, and may be away for as long as it likes.
"""

import asyncio
import os
import secrets
import socket

import structlog
from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import Broker, IncompleteBook
from core.clock import Clock, Moment, SystemClock, monotonic
from core.controls import Hold
from core.db import alerts, attempts, changes, hints, leases, orders
from core.db.engine import Database
from core.db.trouble import CommitInDoubt
from core.domain.order import AT_BROKER
from core.domain.sessions import Calendar
from core.engine import book_pace, briefing, changer, clock_watch, timers
from core.engine.apart import apart
from core.engine.changer import Changer
from core.engine.claim import claim_apart
from core.engine.clock_watch import ClockWatch
from core.engine.decide import AT_ONCE, Decider
from core.engine.dispatch import Dispatcher
from core.engine.limiter import Limiter
from core.engine.listen import Listener, Updates
from core.engine.readiness import Readiness
from core.engine.reconcile import Reconciler
from core.engine.relay import Relay
from core.engine.resolve import Resolver, doubt_unfinished
from core.engine.rounds import Rounds
from core.engine.rules import LeaseLost
from core.engine.sight import Sight
from core.errors import BrokerUnavailable, SignInNeeded, Unavailable
from core.instruments import InstrumentKeeper
from core.logins import Session
from core.mailbox import Mailbox
from core.wakeup import woken

log = structlog.get_logger()

POLL = 0.25
MAIL_EVERY = 1.0
RENEW_EVERY = 1.0
WATCH_EVERY = 0.4
BETWEEN_BOOKS = 0.1
LAST_SENDS = 5.0
REDRAW_EVERY = 60.0
REDRAWN_AT_ONCE = 10
DELIVERY_RESTS = 5.0
INSTRUMENTS_REST = 30  # s, unless the list is lost
A_BREATH = 0.1  # the order goes before its card, and what changes meanwhile makes one edit


class _Nudges(asyncio.DatagramProtocol):
    """A datagram means: there is something new. Losing one costs one poll."""

    def __init__(self, *events: asyncio.Event) -> None:
        self._events = events

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio's signature
        for event in self._events:
            event.set()


class Desk:
    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        broker: Broker,
        session: Session,
        mailbox: Mailbox,
        readiness: Readiness,
        instruments: InstrumentKeeper,
        calendar: Calendar,
        decider: Decider,
        dispatcher: Dispatcher,
        changer: Changer,
        limiter: Limiter,
        updates: Updates,
        relay: Relay,
        watch: ClockWatch,
        rounds: Rounds,
    ) -> None:
        self._database = database
        self._clock = clock
        self._wall = SystemClock()
        self._session = session
        self._mailbox = mailbox
        self._readiness = readiness
        self._instruments = instruments
        self._calendar = calendar
        self._decider = decider
        self._dispatcher = dispatcher
        self._changer = changer
        self._limiter = limiter
        self._resolver = Resolver(database=database, broker=broker, session=session, clock=clock)
        self._reconciler = Reconciler(database=database, broker=broker, clock=clock)
        self._look = asyncio.Event()
        self._hints_seen = 0
        self._book_rests = 0.0
        self._listener = Listener(updates=updates, broker=broker, session=session, heard=self._look.set)
        self._sight = Sight(database, clock)
        self._relay = relay
        self._clock_watch = watch
        self._rounds = rounds
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._wake = asyncio.Event()
        self._tell = asyncio.Event()
        self._mail = asyncio.Event()
        self._told_to_stop = asyncio.Event()
        self._ear: asyncio.DatagramTransport | None = None
        self._epoch = 0
        self._vigil = leases.Vigil()
        self._down_since = None
        self._clock_doubt: str | None = None
        self._redrawn = monotonic()

    async def take_lease(self) -> None:
        """Return when this desk is the one that acts; others wait here and take over when it stops."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Nudges(self._wake, self._mail), local_addr=("127.0.0.1", 0)
        )
        self._ear = transport
        port = transport.get_extra_info("sockname")[1]
        epoch = await self._try_lease(port)
        if epoch is None:
            log.info("standing_by", why="another desk holds the lease")
        while epoch is None:
            await asyncio.sleep(RENEW_EVERY / 2)
            try:
                epoch = await self._try_lease(port)
            except Unavailable as trouble:
                log.warning("still_standing_by", why=str(trouble))
        self._epoch = epoch
        log.info("lease_taken", epoch=epoch)

    async def run(self) -> None:
        """Act until told to stop. Raises LeaseLost when another desk took over."""
        await self._database.write(self._recover)
        try:
            async with asyncio.TaskGroup() as tasks:
                loops = [
                    tasks.create_task(self._keep_lease()),
                    tasks.create_task(self._work(tasks)),
                    tasks.create_task(self._watch_broker()),
                    tasks.create_task(self._settle_doubts()),
                    tasks.create_task(self._listener.run()),
                    tasks.create_task(self._read_mail()),
                    tasks.create_task(self._keep_instruments()),
                    tasks.create_task(self._deliver()),
                    tasks.create_task(self._rounds.run(self._tell.set)),
                ]
                tasks.create_task(self._end_when_told(loops))
        finally:
            at = self._wall.now()
            await self._database.write(lambda c: leases.release(c, epoch=self._epoch, at=at))

    def stop(self) -> None:
        """End soon, and cleanly: `run` returns once what is under way has ended."""
        self._told_to_stop.set()

    def close(self) -> None:
        """Hear no nudges any more."""
        if self._ear is not None:
            self._ear.close()

    def nudge(self) -> None:
        """Look at the rows now: a tap may have changed them."""
        self._wake.set()
        self._tell.set()

    async def _end_when_told(self, loops: list[asyncio.Task[None]]) -> None:
        await self._told_to_stop.wait()
        await asyncio.gather(self._dispatcher.finish(LAST_SENDS), self._changer.finish(LAST_SENDS))
        for loop in loops:
            loop.cancel()

    async def _try_lease(self, port: int) -> int | None:
        at = self._wall.now()

        def take(connection: Connection) -> int | None:
            before = leases.current(connection)
            self._down_since = before.renewed_at if before else None
            if not self._vigil.is_over(before, at):
                return None
            epoch = leases.acquire(connection, holder=self._holder, nudge_port=port, at=at)
            if epoch is not None:
                words = "The desk has just started and compares its rows with Dhan's book first."
                controls.set_hold(connection, Hold.STARTING, words, at=self._clock.now(), actor=journal.DESK)
            return epoch

        return await self._database.write(take)

    def _recover(self, connection: Connection) -> None:
        moment = Moment(now=self._clock.now(), wall=self._wall.now())
        doubt_unfinished(connection, moment)
        changer.doubt_unfinished(connection, moment)
        self._limiter.remember(attempts.ages(connection, moment.wall) + changes.ages(connection, moment.wall))
        if self._epoch > 1:
            with apart(connection, "briefing_not_begun"):
                briefing.begin(connection, moment, down_since=self._down_since)

    async def _keep_lease(self) -> None:
        while True:
            await self._renew_lease()
            await asyncio.sleep(RENEW_EVERY)

    async def _renew_lease(self) -> None:
        at = self._wall.now()
        if not await self._database.write(lambda c: leases.renew(c, holder=self._holder, epoch=self._epoch, at=at)):
            raise LeaseLost

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        """Decide what came in and send what is due, when nudged and at every poll."""
        swept = 0.0
        while True:
            nudged = await woken(self._wake, POLL)
            may_expire = await self._mind_the_clock()
            has_looked = await self._decide(tasks, look_first=not nudged)
            if may_expire and monotonic() - swept > 1:
                swept = monotonic()
                await self._run_timers()
            if not has_looked:
                await self._changer.send_due(tasks, self._epoch)
                await self._dispatcher.send_due(tasks, self._wake, self._epoch)
            if nudged:
                self._tell.set()

    async def _decide(self, tasks: asyncio.TaskGroup, *, look_first: bool) -> bool:
        """Decide what came in, and send what is due with it, changes as well. False: it did not look for any of that,
        since nothing came in, with `look_first`, or since it failed.
        """
        if look_first and not await self._database.read(alerts.count_undecided):
            return False
        try:
            decided = AT_ONCE
            while decided == AT_ONCE:
                decided = await self._decide_and_send(tasks)
                await self._changer.send_due(tasks, self._epoch)  # who wants out does not wait for the whole flood
                self._tell.set()
        except CommitInDoubt:
            raise  # orders may have been claimed: the rows know, after a new start
        except Unavailable as trouble:
            log.warning("alerts_wait", why=str(trouble))
            return False
        return True

    async def _decide_and_send(self, tasks: asyncio.TaskGroup) -> int:
        try:
            return await self._dispatcher.send_with(self._decider.decide, tasks, self._wake, self._epoch)
        except (LeaseLost, Unavailable):
            raise
        except Exception:
            log.exception("alerts_not_decided_together")
            decide = self._decider.decide_apart
            return await self._dispatcher.send_with(decide, tasks, self._wake, self._epoch, claim_due=claim_apart)

    async def _mind_the_clock(self) -> bool:
        """False while this machine's clock may be wrong; then nothing is sent, and nothing expires."""
        self._clock_watch.is_sure()
        await self._hold_for_clock()
        return self._clock_watch.may_expire()

    async def _hold_for_clock(self) -> None:
        doubt, now = self._clock_watch.doubt, self._clock.now()
        if doubt == self._clock_doubt:
            return
        self._clock_doubt = doubt
        if doubt:
            log.warning("clock_in_doubt", why=doubt)
            await self._renew_lease()  # by a clock that leapt ahead it ran out, although nobody else took it
            await self._database.write(lambda c: clock_watch.hold(c, doubt, now))
        else:
            await self._database.write(lambda c: controls.lift_hold(c, Hold.CLOCK, at=now, actor=journal.DESK))
        self._wake.set()

    async def _run_timers(self) -> None:
        now, calendar = self._clock.now(), self._calendar
        if await self._database.read(lambda c: timers.anything_is_due(c, calendar, now)):
            await self._database.write(lambda c: timers.run_due(c, calendar, now))
            self._tell.set()
        if monotonic() - self._redrawn >= REDRAW_EVERY:
            self._redrawn = monotonic()
            await self._database.write(lambda c: notifications.redraw_waiting(c, now, REDRAWN_AT_ONCE))

    async def _watch_broker(self) -> None:
        """Keep signed in, and follow the order book.

        The first book, and a list of instruments, let orders go out.
        """
        read_at: float | None = None
        is_open = is_compared = heard = False
        while True:
            is_signed_in = await self._session.keep(self._readiness.needed_through)
            await self._readiness.remind_when_due()
            if not is_signed_in:
                await self._clock_watch.find_out()
                await self._hold_for_clock()
            else:
                serial = self._session.serial
                try:
                    await self._readiness.check_when_due()
                    if self._has_rested(read_at) and (heard or await self._book_is_due(read_at)):
                        heard, began = False, monotonic()
                        is_compared = await self._follow_book() or is_compared
                        read_at = monotonic()
                        self._book_rests = book_pace.rest_after(read_at - began)
                        self._clock_watch.compare()
                        await self._hold_for_clock()
                        self._tell.set()
                    if not is_open and is_compared and self._instruments.is_there:
                        await self._open_for_business()
                        is_open = True
                except SignInNeeded as trouble:
                    await self._session.die(str(trouble), serial)
                except BrokerUnavailable as trouble:
                    log.warning("broker_unavailable", why=str(trouble))
                    await self._sight.lost(str(trouble), self._wall.now())
            await asyncio.sleep(BETWEEN_BOOKS)
            heard = await woken(self._look, WATCH_EVERY - BETWEEN_BOOKS) or heard

    async def _follow_book(self) -> bool:
        """Whether our orders are compared with it, so that others may go out."""
        try:
            self._resolver.book_lacks(await self._reconciler.follow_book())
        except IncompleteBook as incomplete:
            log.warning("book_incomplete", unread=len(incomplete.unread))
            return await self._sight.lost_in_part(incomplete, self._wall.now())
        self._sight.regained()
        return True

    async def _settle_doubts(self) -> None:
        """Look up what is in doubt, and what the book lacks, apart from it: Dhan may take its time over each."""
        while True:
            await self._resolver.look_up_due()
            await asyncio.sleep(WATCH_EVERY)

    async def _read_mail(self) -> None:
        """See to sign-ins that a person began on the web page or the command line."""
        while True:
            if await woken(self._mail, MAIL_EVERY):
                await asyncio.sleep(A_BREATH)
            if await self._mailbox.attend():
                self._wake.set()

    def _has_rested(self, read_at: float | None) -> bool:
        return read_at is None or monotonic() - read_at >= self._book_rests

    async def _book_is_due(self, read_at: float | None) -> bool:
        if read_at is None:
            return True
        if not self._clock_watch.is_sure() and monotonic() - read_at >= book_pace.WHEN_RESTING:
            return True
        now = self._clock.now()
        hinted, watched = await self._database.read(lambda c: (hints.latest(c), orders.in_states(c, AT_BROKER)))
        if hinted > self._hints_seen:
            self._hints_seen = hinted
            return True
        wait = min((book_pace.patience(order, now) for order in watched), default=book_pace.WHEN_IDLE)
        return monotonic() - read_at >= wait

    async def _open_for_business(self) -> None:
        now = self._clock.now()
        await self._database.write(lambda c: controls.lift_hold(c, Hold.STARTING, at=now, actor=journal.DESK))
        self._wake.set()

    async def _keep_instruments(self) -> None:
        while True:
            await self._instruments.refresh_when_old()
            self._wake.set()
            for _ in range(INSTRUMENTS_REST):
                await asyncio.sleep(1)
                if not self._instruments.is_there:
                    break

    async def _deliver(self) -> None:
        while True:
            if await woken(self._tell, POLL):
                await asyncio.sleep(A_BREATH)
            try:
                while await self._relay.deliver_due(self._epoch):
                    pass
            except LeaseLost:
                raise
            except Exception:  # whatever is wrong with telling, orders and their look-ups go on
                log.exception("nothing_delivered")
                await asyncio.sleep(DELIVERY_RESTS)
