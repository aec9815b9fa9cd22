"""Asking everything that the day's orders hang on, for the readiness card."""

import shutil
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls, market_days
from core.addresses import AddressBook
from core.broker.account import Account
from core.clock import Clock, to_india
from core.controls import Hold
from core.db import alerts, orders, tokens
from core.db.engine import Database
from core.domain import readiness
from core.domain.instrument import SegmentClass
from core.domain.order import OrderState
from core.domain.preflight import needed_through
from core.domain.readiness import Cure, Light, Line
from core.domain.sessions import Calendar
from core.errors import BrokerUnavailable, SignInNeeded
from core.ladder import signs_in_by_itself
from core.settings import Settings

_CURED_BY = {
    Hold.NOT_LIVE: Cure.GO_LIVE,
    Hold.KILLED: Cure.UNKILL,
    Hold.KILL_SWITCH: Cure.KILL_SWITCH,
    Hold.STARTING: Cure.LOOK_AGAIN,
    Hold.CLOCK: Cure.LOOK_AGAIN,
}
_HAS_ITS_OWN_LINE = (Hold.SIGNED_OUT, Hold.INVALID_IP)


class Checkup:
    """`skew` says how far this machine's clock is ahead of Dhan's, and None before Dhan replied."""

    def __init__(
        self,
        *,
        database: Database,
        account: Account,
        addresses: AddressBook,
        calendar: Calendar,
        settings: Settings,
        clock: Clock,
        skew: Callable[[], timedelta | None],
    ) -> None:
        self._database = database
        self._account = account
        self._addresses = addresses
        self._calendar = calendar
        self._settings = settings
        self._folder = settings.munshi_data_dir
        self._clock = clock
        self._skew = skew

    async def look(self) -> list[Line]:
        """Every line, the red ones on top. What Dhan does not answer is said to be unknown."""
        outside = [await self._address(), await self._funds()]
        token, *ours = await self._database.read(lambda connection: self._ours(connection, self._clock.now()))
        machine = [readiness.clock_line(self._skew()), readiness.disk_line(shutil.disk_usage(self._folder).free)]
        return readiness.most_pressing([token, *outside, *ours, *machine])

    async def _address(self) -> Line:
        """By the hold, which follows what Dhan says of it, and what Dhan made of an order besides."""
        unknown = None
        try:
            await self._addresses.check()
        except SignInNeeded:
            unknown = readiness.unknown_line("The address is", "signed out.", Cure.LOGIN)
        except BrokerUnavailable as trouble:
            unknown = readiness.unknown_line("The address is", f"{trouble}.")
        held = await self._database.read(lambda c: controls.holds(c).get(Hold.INVALID_IP))
        return unknown if unknown and not held else readiness.address_line(held)

    async def _funds(self) -> Line:
        try:
            return readiness.funds_line((await self._account.funds()).available)
        except SignInNeeded:
            return readiness.unknown_line("Funds are", "signed out.", Cure.LOGIN)
        except BrokerUnavailable as trouble:
            return readiness.unknown_line("Funds are", f"{trouble}.")

    def _ours(self, connection: Connection, now: datetime) -> list[Line]:
        calendar = market_days.in_force(connection, self._calendar)
        today, living = to_india(now).date(), tokens.age(connection)
        last = alerts.recent(connection, 1)
        ends, needed = living.expires_at if living else None, needed_through(calendar, now)
        holds, renews = controls.holds(connection), signs_in_by_itself(connection, self._settings, now)
        signed_out = holds.get(Hold.SIGNED_OUT)
        return [
            Line(light=Light.RED, words=signed_out, cures=(Cure.LOGIN,))
            if signed_out
            else readiness.token_line(ends, needed, now, renews_itself=renews),
            *_hold_lines(holds),
            readiness.calendar_line(
                calendar.day(SegmentClass.CASH, today), calendar.day(SegmentClass.CASH_WITH_DERIVATIVES, today)
            ),
            readiness.queue_line(
                waiting=orders.count(connection, OrderState.AWAITING_APPROVAL),
                queued=orders.count(connection, OrderState.QUEUED),
                doubtful=orders.count(connection, OrderState.NEEDS_OPERATOR),
                looked_up=orders.count(connection, OrderState.UNKNOWN),
                standing=_standing(holds, is_signed_in=ends is not None and ends > now),
            ),
            readiness.last_alert_line(last[0].received_at if last else None, now),
        ]


def _standing(holds: Collection[Hold], *, is_signed_in: bool) -> str:
    """How the queue stands; empty where orders go out, or will in a moment."""
    if not is_signed_in or Hold.SIGNED_OUT in holds:
        return "waiting for the sign-in"
    return "held" if set(holds) - {Hold.STARTING} else ""


def _hold_lines(holds: dict[Hold, str]) -> list[Line]:
    return [
        Line(light=Light.RED, words=reason, cures=(_CURED_BY.get(hold, Cure.RESUME),))
        for hold, reason in holds.items()
        if hold not in _HAS_ITS_OWN_LINE
    ]
