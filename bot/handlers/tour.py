"""/start: what this desk is, and in paper mode a first alert, approved and filled within a minute."""

from typing import cast

from sqlalchemy import Connection
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update

from bot import desk_views
from bot.access import Context, Gate
from bot.callback_data import CardTap, Verb, pack
from bot.commands import may
from bot.handlers.taps import say
from core import market_days, tour
from core.clock import PaperClock, moved_to
from core.engine.parts import Parts
from core.errors import Refusal, Unavailable
from core.settings import Role, Settings

_FIRE = ("Fire a paper alert", Verb.TOUR)
_MORNING = ("Make it a trading morning", Verb.TOUR_CLOCK)


class Tour:
    def __init__(self, *, settings: Settings, parts: Parts, gate: Gate) -> None:
        self._mode = settings.munshi_mode
        self._parts = parts
        self._gate = gate

    async def start(self, message: Message, _arguments: list[str], role: Role) -> None:
        offers = self._mode == "paper" and may(role, Role.APPROVER)
        outlook = await self._foresee() if offers else None
        named = [_MORNING, _FIRE] if outlook is not None and outlook.waits else [_FIRE]
        text = desk_views.welcome(self._mode, role, moved_to(self._parts.clock), outlook=outlook)
        await message.reply_html(text, reply_markup=_buttons(*named) if offers else None)

    async def _foresee(self) -> tour.Outlook | None:
        """None before the instrument list is there: nobody is kept from the welcome for that."""
        parts = self._parts
        resolve, calendar, now = parts.instruments.resolve, parts.calendar, parts.clock.now()
        try:
            return await parts.database.read(lambda c: tour.foresee(c, resolve=resolve, calendar=calendar, now=now))
        except Unavailable:
            return None

    async def handle(self, update: Update, _context: Context) -> None:
        """The taps below /start."""
        query = update.callback_query
        if query is None:
            return
        if self._mode != "paper" or not may(self._gate.role(update), Role.APPROVER):
            await query.answer("The tour is for approvers of a paper desk.", show_alert=True)
            return
        message = cast("Message", query.message)
        if (query.data or "").startswith(f"{Verb.TOUR_CLOCK}:"):
            await query.answer()
            await self._open_the_market(message)
            return
        try:
            alert, outlook = await self._parts.database.write(lambda c: self._fire(c, query.from_user.id))
        except (Refusal, Unavailable) as refusal:
            await say(query, str(refusal), alarm=True)
            return
        self._parts.desk.nudge()
        await query.answer("Fired")
        buttons = _buttons(_MORNING) if outlook.waits else None
        await message.reply_html(desk_views.second_step(alert, outlook), reply_markup=buttons)

    def _fire(self, connection: Connection, user: int) -> tuple[int, tour.Outlook]:
        parts = self._parts
        resolve, calendar, now = parts.instruments.resolve, parts.calendar, parts.clock.now()
        return tour.fire(connection, user_id=user, resolve=resolve, calendar=calendar, now=now)

    async def _open_the_market(self, message: Message) -> None:
        """Move the paper clock into the next session; what was approved before keeps its own time."""
        clock, bundled = self._parts.clock, self._parts.calendar
        known = await self._parts.database.read(lambda c: market_days.in_force(c, bundled))
        at = tour.next_session(known, clock.now())
        if at is None or not isinstance(clock, PaperClock):
            await message.reply_text("The calendar knows no session soon: move the clock with /clock.")
            return
        clock.jump_to(at)
        self._parts.desk.nudge()
        words = "It is a trading morning on paper now; /clock real takes that back."
        await message.reply_text(words, reply_markup=_buttons(_FIRE))


def _buttons(*named: tuple[str, Verb]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(words, callback_data=pack(CardTap(verb, "x", 0)))] for words, verb in named]
    )
