"""Will orders get through when the market opens? Looked at when the desk starts, and before each window.

A sign-in may die earlier than it says, and an address may change overnight: both are found by asking, not by trying
with an order.
"""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from core import controls, journal, market_days, notifications, reminders
from core.addresses import AddressBook
from core.broker.account import Account
from core.broker.port import Broker
from core.clock import Clock, to_india
from core.controls import Hold
from core.db import tokens
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.preflight import checks, is_holiday, is_reminding_time, needed_through
from core.domain.sessions import Calendar
from core.errors import BrokerUnavailable
from core.ladder import signs_in_by_itself, why_stopped
from core.settings import Settings

log = structlog.get_logger()

ASK_AGAIN = timedelta(seconds=30)
TELL_AT_FAILURE = 3
WARN_BEFORE = timedelta(hours=2)
BETWEEN_LIFTS = timedelta(minutes=5)
"""Where Dhan goes on refusing orders for a switch that it says is off, each lift costs an order or rings."""
_JUST_RANG = timedelta(minutes=30)
_TOLD_FOR = timedelta(hours=1)
"""What was told before a window needs no repeating before one that opens a quarter of an hour later."""
_NOT_KNOWN = (
    "Dhan does not say which addresses it takes orders from ({why}). Nothing is held for that; should this machine's "
    "not be registered, Dhan refuses the next order, which then waits. /ip asks again; web.dhan.co shows what is "
    "registered."
)
_SWITCH_NOT_KNOWN = (
    "Dhan does not say whether its kill switch is still on ({why}). Orders wait for that: /killswitch asks again."
)
_SIGNED_OUT = "The market opens today, and the desk is not signed in at Dhan: orders would wait."


class Readiness:
    def __init__(
        self,
        *,
        database: Database,
        broker: Broker,
        account: Account,
        addresses: AddressBook,
        calendar: Calendar,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._broker = broker
        self._account = account
        self._addresses = addresses
        self._bundled = self._calendar = calendar
        self._settings = settings
        self._clock = clock
        self._checked_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._asked_of_switch: datetime | None = None
        self._lifted_at: datetime | None = None
        self._failed_at = clock.now()
        self._failures = 0

    @property
    def needed_through(self) -> datetime | None:
        """Until when a sign-in should last, if it is time to see to it."""
        return needed_through(self._calendar, self._clock.now())

    async def check_when_due(self) -> None:
        """Ask Dhan about our token and our address, and about its kill switch where that holds: at once, too, where an
        order was refused for it, since it may be off by then.

        Raises SignInNeeded; when Dhan cannot say, it stays due.
        """
        now = self._clock.now()
        if not (self._is_due(now) or await self._switch_is_in_doubt(now)) or self._rests(now):
            return
        unknown: list[str] = []
        for check, words in ((self._check_addresses, _NOT_KNOWN), (self._check_kill_switch, _SWITCH_NOT_KNOWN)):
            try:
                await check()
            except BrokerUnavailable as trouble:
                unknown.append(words.format(why=trouble))
        if unknown:
            await self._not_known(" ".join(unknown), now)
        else:
            self._checked_at, self._failures = now, 0

    async def _check_addresses(self) -> None:
        await self._broker.check_session()
        addresses = await self._addresses.check()
        log.info("readiness_checked", orders_allowed=addresses.allowed)

    async def _check_kill_switch(self) -> None:
        """It ends with the day at Dhan, and the hold with it."""
        set_at = await self._database.read(lambda c: controls.set_at(c, Hold.KILL_SWITCH))
        if set_at is None:
            return
        is_on = await self._account.is_stopped()
        self._asked_of_switch = set_at
        if not is_on:
            self._lifted_at = at = self._clock.now()
            await self._database.write(lambda c: _lift_kill_switch(c, set_at, at))

    async def _switch_is_in_doubt(self, now: datetime) -> bool:
        """Whether Dhan refused an order for it, or somebody resumed, since it was asked. Who turned it on in the chat
        has heard Dhan's answer, which a look may not show yet.
        """
        by, set_at = await self._database.read(
            lambda c: (controls.set_by(c, Hold.KILL_SWITCH), controls.set_at(c, Hold.KILL_SWITCH))
        )
        if set_at == self._asked_of_switch or by not in (journal.DHAN, journal.COMMAND_LINE):
            return False
        has_rested = self._lifted_at is None or abs(now - self._lifted_at) >= BETWEEN_LIFTS
        return has_rested or by == journal.COMMAND_LINE

    async def remind_when_due(self) -> None:
        """Tell of a sign-in that ends soon, and in the morning of one that will not last; looks once a minute."""
        now = self._clock.now()
        last = self._looked_at = self._looked_at or now
        if abs(now - last) >= timedelta(minutes=1):
            self._looked_at = now
            self._calendar = await self._database.read(lambda c: market_days.in_force(c, self._bundled))
            if await self._database.read(lambda connection: self._reminder(connection, now)):
                await self._database.write(lambda connection: self._remind(connection, now))

    def _is_due(self, now: datetime) -> bool:
        return self._checked_at is None or self._has_come(self._checked_at, now)

    def _has_come(self, last: datetime, now: datetime) -> bool:
        """Whether it has been time to look since then; a clock that was moved back makes it so."""
        return now < last or any(last < moment <= now for moment in checks(self._calendar, to_india(now).date()))

    def _rests(self, now: datetime) -> bool:
        """After tries that failed: for ever longer, but not past the next time to look."""
        if self._has_come(self._failed_at, now):
            self._failures = 0
        doublings = min(self._failures, 6) - 1
        return self._failures > 0 and now - self._failed_at < ASK_AGAIN * 2**doublings

    async def _not_known(self, words: str, now: datetime) -> None:
        """One answer may get lost; what stays unknown is told once before a window, and sets no hold."""
        self._failures, self._failed_at = self._failures + 1, now
        log.warning("readiness_not_known", why=words)

        def tell(connection: Connection) -> None:
            if not notifications.rang_lately(connection, Notice.BLIND, now, within=_TOLD_FOR):
                notifications.ring(connection, Notice.BLIND, at=now, words=words)

        if self._failures == TELL_AT_FAILURE:
            await self._database.write(tell)

    def _remind(self, connection: Connection, now: datetime) -> None:
        if reminder := self._reminder(connection, now):
            reminders.warn(connection, self._settings, *reminder, at=now)

    def _reminder(self, connection: Connection, now: datetime) -> tuple[str, str] | None:
        """What to say, and what about: each is said once."""
        living, today = tokens.age(connection), to_india(now).date()
        is_morning = is_reminding_time(self._calendar, now)
        if living is None or living.expires_at <= now:
            rang = notifications.rang_lately(connection, Notice.SIGN_IN, now, within=_JUST_RANG)
            return (_SIGNED_OUT, f"{today}") if is_morning and not rang else None
        if signs_in_by_itself(connection, self._settings, now):
            return None
        why = why_stopped(connection, self._settings, now) if self._settings.pin_and_totp else None
        cannot = f" The desk cannot: {why}" if why else ""
        ends, through = living.expires_at, self.needed_through
        if is_morning and through and ends <= through:
            return f"The sign-in at Dhan ends at {to_india(ends):%H:%M} today: sign in again first.{cannot}", f"{today}"
        if ends - now <= WARN_BEFORE and not is_holiday(self._calendar, today):
            words = f"The sign-in at Dhan ends at {to_india(ends):%H:%M}: sign in again, or orders wait.{cannot}"
            return words, f"{ends}"
        return None


def _lift_kill_switch(connection: Connection, asked_of: datetime, at: datetime) -> None:
    """Unless it was turned on again while Dhan was asked."""
    if controls.set_at(connection, Hold.KILL_SWITCH) == asked_of:
        controls.follow_kill_switch(connection, False, at=at, actor=journal.DHAN)
