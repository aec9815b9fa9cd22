"""Carrying what is owed to the operator's chats: cards that ask first, then the others, then messages, each marked
only after it was sent, and no faster than Telegram bears.

A crash between sending and marking repeats a message, which then reads the same. Telegram's wishes are obeyed, for
ten minutes at a time; nothing is dropped, and what comes in crowds is told in one message. A chat that cannot be
reached waits without holding up the others, and a message that Telegram refuses, or that we cannot put into words,
without holding up its chat.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from core import notifications, reports, summaries
from core.clock import Clock, SystemClock
from core.db import leases
from core.db.engine import Database
from core.engine.pace import Pace
from core.engine.rules import LeaseLost
from core.errors import TelegramUnavailable
from core.failpoints import Point, reach
from core.notifications import LONGEST_WAIT, Card, ChatUnreachable, Message, MessageRefused, Messenger
from core.reports import AlertReport, Offers

log = structlog.get_logger()

Owed = TypeVar("Owed", Card, Message)

AT_ONCE = 20
GATHERS = timedelta(seconds=5)
_BACK_OFF = 60.0


class Relay:
    """`offers` finds what a card may offer."""

    def __init__(
        self,
        *,
        database: Database,
        messenger: Messenger,
        clock: Clock,
        offers: Callable[[Connection, AlertReport], Offers] = lambda _connection, _report: Offers(),
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._clock = clock
        self._offers = offers
        self._pace = pace or Pace()
        self._wall = SystemClock()
        self._gathers_until: dict[int, datetime] = {}

    async def deliver_due(self, epoch: int | None = None) -> bool:
        """Send what is due; True when there may be more. Raises LeaseLost when the desk of this epoch was followed by
        another: two that tell of one alert would leave a card behind that nobody edits any more.
        """
        await self._fold_crowds()
        owed_cards, owed_messages = await self._database.read(lambda connection: self._owed_by(connection, epoch))
        silent: set[int] = set()
        for card, report in owed_cards:
            if self._may_send(card, silent) and not await self._show(card, report):
                silent.add(card.chat_id)
        for message in owed_messages:
            if self._may_send(message, silent) and not await self._ring(message):
                silent.add(message.chat_id)
        return bool(owed_cards or owed_messages) and not silent

    async def _fold_crowds(self) -> None:
        """One message in place of many; the next ones of that chat then gather for a while."""
        wall = self._wall.now()
        for chat in await self._database.read(lambda c: summaries.crowded(c, wall)):
            if not self._gathers(chat, wall):
                at = self._clock.now()
                has_more = True
                while has_more:
                    has_more = await self._database.write(lambda c, chat=chat, at=at: summaries.fold(c, chat, at))
                    await asyncio.sleep(0)  # orders go out between two parts of a large crowd
                self._gathers_until[chat] = wall + GATHERS

    def _gathers(self, chat: int, wall: datetime) -> bool:
        until = self._gathers_until.get(chat, wall)
        return wall < until <= wall + GATHERS

    def _may_send(self, owed: Card | Message, silent: set[int]) -> bool:
        chat = owed.chat_id
        if chat not in silent and self._pace.room(chat) <= 0:
            silent.add(chat)
        if chat in silent:
            return False
        self._pace.note(chat)
        return True

    def _owed_by(
        self, connection: Connection, epoch: int | None
    ) -> tuple[list[tuple[Card, AlertReport]], list[Message]]:
        if epoch is not None and not leases.is_newest(connection, epoch):
            raise LeaseLost
        return self._due(connection)

    def _due(self, connection: Connection) -> tuple[list[tuple[Card, AlertReport]], list[Message]]:
        wall, full = self._wall.now(), self._pace.full()
        cards = self._as_many_as_fit(notifications.due_cards(connection, wall, AT_ONCE, but=full))
        found = reports.alert_reports(connection, {card.alert_id for card in cards}, self._clock.now())
        gathering = [chat for chat in self._gathers_until if self._gathers(chat, wall)]
        owed = notifications.due_messages(connection, wall, AT_ONCE, but=full, gathering=gathering)
        messages = notifications.hushed(connection, self._as_many_as_fit(owed), self._clock.now())
        whole = {key: self._with_offers(connection, report) for key, report in found.items()}
        return [(card, whole[card.alert_id]) for card in cards], messages

    def _as_many_as_fit(self, owed: Sequence[Owed]) -> list[Owed]:
        """Of each chat no more than may go there now: what it takes to put a card into words is not done in vain."""
        room = {chat: self._pace.room(chat) for chat in {each.chat_id for each in owed}}
        going: list[Owed] = []
        for each in owed:
            if room[each.chat_id] > 0:
                room[each.chat_id] -= 1
                going.append(each)
        return going

    def _with_offers(self, connection: Connection, report: AlertReport) -> AlertReport:
        try:
            return replace(report, offers=self._offers(connection, report))
        except Exception:
            log.exception("offers_not_found", alert=report.alert.id)
            return report

    async def _show(self, card: Card, report: AlertReport) -> bool:
        reach(Point.BEFORE_MESSAGE)
        try:
            message_id = await self._messenger.show_card(card, report)
        except Exception as trouble:  # noqa: BLE001 - put off by what it is, and logged
            return await self._put_off(card, trouble)
        reach(Point.MESSAGE_SENT)
        version = report.alert.card_version
        await self._database.write(lambda c: notifications.card_shown(c, card, message_id, version))
        return True

    async def _ring(self, message: Message) -> bool:
        reach(Point.BEFORE_MESSAGE)
        try:
            message_id = await self._messenger.ring(message)
        except Exception as trouble:  # noqa: BLE001 - put off by what it is, and logged
            return await self._put_off(message, trouble)
        reach(Point.MESSAGE_SENT)
        at = self._wall.now()
        await self._database.write(lambda c: notifications.message_sent(c, message, message_id, at))
        return True

    async def _put_off(self, owed: Card | Message, trouble: Exception) -> bool:
        """Try it again later; True when the rest of its chat may go on meanwhile, as after a mistake of ours."""
        wait = min(2.0 ** min(owed.failures, 6), _BACK_OFF)
        if isinstance(trouble, ChatUnreachable):
            wait = LONGEST_WAIT.total_seconds()
        elif isinstance(trouble, TelegramUnavailable) and trouble.retry_after is not None:
            wait = min(trouble.retry_after, LONGEST_WAIT.total_seconds())
        alone = not isinstance(trouble, TelegramUnavailable | ChatUnreachable)
        ours = trouble if alone and not isinstance(trouble, MessageRefused) else None
        log.warning("message_waits", chat=owed.chat_id, seconds=wait, why=str(trouble), exc_info=ours)
        put_off = notifications.put_off_alone if alone else notifications.put_off
        until = self._wall.now() + timedelta(seconds=wait)
        await self._database.write(lambda c: put_off(c, owed, until))
        return alone
