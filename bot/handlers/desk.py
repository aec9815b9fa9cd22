"""Commands: parse, call one use case, answer."""

from html import escape
from typing import cast

from sqlalchemy import Connection
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.constants import ParseMode

from bot import order_views, views
from bot.access import Context, Gate
from bot.callback_data import Verb
from bot.commands import BY_NAME, may
from bot.handlers.market import REFUSALS
from core import controls, journal, reports
from core.broker.port import Broker
from core.clock import Clock, SystemClock, moved_to
from core.controls import Hold
from core.db import orders
from core.db.engine import Database
from core.domain.order import OrderState
from core.engine.desk import Desk
from core.errors import BrokerUnavailable, SignInNeeded
from core.settings import Role, Settings

MOST_LISTED = 15


class DeskCommands:
    """One method per command, named after it; `others` have the methods of the commands that are not here."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        desk: Desk,
        clock: Clock,
        gate: Gate,
        broker: Broker,
        others: tuple[object, ...] = (),
    ) -> None:
        self._mode = settings.munshi_mode
        self._database = database
        self._desk = desk
        self._clock = clock
        self._gate = gate
        self._broker = broker
        self._owners = (self, *others)

    async def handle(self, update: Update, _context: Context) -> None:
        """Run the command if the operator's role allows it; words without a slash do nothing, and are told so."""
        message = update.message
        if message is None or message.text is None:
            return
        first, *arguments = message.text.split()
        name = first.removeprefix("/").partition("@")[0].lower()
        command = BY_NAME.get(name) if first.startswith("/") else None
        if command is None:
            await _say(message, "I do not know that command. /help lists them all.")
        elif not may(self._gate.role(update), command.role):
            await _say(message, f"/{name} needs the role {command.role}.")
        else:
            owner = next(owner for owner in self._owners if hasattr(owner, name))
            try:
                await getattr(owner, name)(message, arguments, self._gate.role(update))
            except REFUSALS as refusal:
                await _say(message, escape(str(refusal)))

    async def start(self, message: Message, _arguments: list[str], _role: Role) -> None:
        await _say(message, views.welcome(self._mode, moved_to(self._clock)))

    async def help(self, message: Message, _arguments: list[str], role: Role) -> None:
        await _say(message, views.help_text(role))

    async def status(self, message: Message, _arguments: list[str], _role: Role) -> None:
        report = await self._database.read(lambda c: reports.desk_report(c, SystemClock().now()))
        await _say(message, views.status(report, self._mode, self._clock.now()))

    async def queue(self, message: Message, _arguments: list[str], _role: Role) -> None:
        waiting = await self._database.read(
            lambda c: orders.in_states(c, [OrderState.AWAITING_APPROVAL, OrderState.QUEUED, OrderState.NEEDS_OPERATOR])
        )
        await _say(message, views.queue(waiting[:MOST_LISTED], self._clock.now()))

    async def orders(self, message: Message, _arguments: list[str], _role: Role) -> None:
        latest = await self._database.read(lambda c: orders.recent(c, MOST_LISTED))
        await _say(message, views.fit(f"{views.order_list(latest)}\n\n{await self._placed_elsewhere()}".strip()))

    async def _placed_elsewhere(self) -> str:
        """Orders of Dhan's book that are not ours: shown as such, and never touched."""
        try:
            book = await self._broker.book()
        except (BrokerUnavailable, SignInNeeded) as trouble:
            return order_views.plain(f"Orders placed elsewhere are not known: {trouble}")
        names = {row.order_id: row.correlation_id for row in book}
        ours = await self._database.read(lambda c: orders.ours_among(c, names))
        return order_views.elsewhere([row for row in book if row.order_id not in ours])

    async def order(self, message: Message, arguments: list[str], _role: Role) -> None:
        number = arguments[0].partition(".")[0] if arguments else ""
        if not number.isdecimal() or len(number) > 12:
            await _say(message, "Which one? For example: /order 41")
            return
        now = self._clock.now()
        found = await self._database.read(
            lambda c: (reports.alert_report(c, int(number), now), journal.story(c, int(number)))
        )
        report, events = found
        await _say(message, views.story(report, events, self._mode) if report else f"There is no alert {number}.")

    async def pause(self, message: Message, _arguments: list[str], _role: Role) -> None:
        now, actor = self._clock.now(), _author(message)
        changed = await self._database.write(lambda c: controls.pause(c, at=now, actor=actor))
        self._desk.nudge()
        await _say(message, "Paused: nothing is sent until /resume." if changed else "It was paused already.")

    async def resume(self, message: Message, _arguments: list[str], _role: Role) -> None:
        now, actor = self._clock.now(), _author(message)
        lifted = await self._database.write(lambda c: controls.resume(c, at=now, actor=actor))
        self._desk.nudge()
        await _say(message, "Orders go out again." if lifted else "It was not paused.")

    async def golive(self, message: Message, _arguments: list[str], _role: Role) -> None:
        if self._mode == "paper":
            await _say(message, "This desk runs in paper mode. Live needs MUNSHI_MODE=live and a restart first.")
            return
        button = InlineKeyboardButton("Yes, trade with real money", callback_data=Verb.GO_LIVE.value)
        await message.reply_html(
            "From then on orders go to Dhan for real.", reply_markup=InlineKeyboardMarkup([[button]])
        )

    async def confirm_live(self, update: Update, _context: Context) -> None:
        """The second switch of live mode: the tap below /golive."""
        query = update.callback_query
        if query is None or not may(self._gate.role(update), Role.ADMIN):
            return
        now, actor = self._clock.now(), journal.operator(query.from_user.id)

        def confirm(connection: Connection) -> None:
            controls.put(connection, "live_confirmed", {"by": actor}, at=now, actor=actor)
            controls.lift_hold(connection, Hold.NOT_LIVE, at=now, actor=actor)

        await self._database.write(confirm)
        self._desk.nudge()
        await query.answer("Live.")
        await cast("Message", query.message).edit_text("<b>LIVE</b> · orders go to Dhan for real.", ParseMode.HTML)


def _author(message: Message) -> str:
    if message.from_user is None:
        raise PermissionError("a command passed the gate without an author")
    return journal.operator(message.from_user.id)


async def _say(message: Message, html: str) -> None:
    await message.reply_html(html, disable_web_page_preview=True)
