"""Pictures in the chat: the curves of profit and loss, and the day's alerts, orders and fills."""

from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.constants import ChatAction

from bot import charts
from bot.access import Context
from bot.callback_data import CardTap, Verb, pack, unpack
from bot.charts import DAYS, Painter, Spec
from bot.handlers.taps import as_if_typed
from core import market_days, pnl, tracks
from core.clock import Clock, to_india
from core.day_report import bounds
from core.db.engine import Database
from core.db.tables import alerts
from core.domain.instrument import SegmentClass
from core.domain.sessions import Calendar
from core.errors import Refusal
from core.settings import Mode

_TAPPED = {"day": "/pnl day", "month": "/pnl 30", "timeline": "/status day"}


def _button(text: str, what: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text, callback_data=pack(CardTap(Verb.PICTURE, what, 0)))


CURVES = InlineKeyboardMarkup([[_button("Day curve", "day"), _button(f"{DAYS} days", "month")]])
TIMELINE = InlineKeyboardMarkup([[_button("The day as a picture", "timeline")]])


class Pictures:
    def __init__(self, *, painter: Painter, database: Database, clock: Clock, calendar: Calendar, mode: Mode) -> None:
        self._painter = painter
        self._database = database
        self._clock = clock
        self._calendar = calendar
        self._mode = mode

    async def curve(self, message: Message, arguments: list[str]) -> None:
        """`/pnl day` or `/pnl 30`. Raises Refusal."""
        now = self._clock.now()
        match arguments:
            case ["day"]:
                await self._send(message, await self._database.read(lambda c: self._day(c, to_india(now).date())))
            case ["30"] | ["30d"] | ["month"]:
                await self._send(message, await self._database.read(lambda c: self._month(c, to_india(now).date())))
            case _:
                raise Refusal("Which curve? /pnl day or /pnl 30; /pnl alone says how it stands now.")

    async def timeline(self, message: Message, arguments: list[str]) -> None:
        """`/status day`. Raises Refusal."""
        if arguments != ["day"]:
            raise Refusal("/status says how the desk stands, /status day draws the day.")
        now = self._clock.now()
        await self._send(message, await self._database.read(lambda c: self._timeline(c, now)))

    async def tap(self, update: Update, context: Context) -> None:
        tap = unpack(update.callback_query.data) if update.callback_query else None
        if tap is not None and tap.nonce in _TAPPED:
            await as_if_typed(update, context, _TAPPED[tap.nonce])

    async def _send(self, message: Message, spec: Spec) -> None:
        await message.reply_chat_action(ChatAction.UPLOAD_PHOTO)
        await message.reply_photo(await self._painter.draw(spec), caption=spec["title"])

    def _day(self, connection: Connection, today: date) -> Spec:
        return charts.day_curve(pnl.points(connection, *bounds(today)), today, self._mode)

    def _month(self, connection: Connection, today: date) -> Spec:
        first = today - timedelta(days=DAYS - 1)
        calendar = market_days.in_force(connection, self._calendar)
        days = [first + timedelta(days=count) for count in range(DAYS)]
        trades = {day: calendar.is_trading_day(SegmentClass.CASH, day) is not False for day in days}
        return charts.month_curve(pnl.by_day(connection, *bounds(first, today)), trades, self._mode)

    def _timeline(self, connection: Connection, now: datetime) -> Spec:
        today = to_india(now).date()
        begins, ends = bounds(today)
        came = select(alerts.c.received_at).where(alerts.c.received_at >= begins, alerts.c.received_at < ends)
        hours = market_days.in_force(connection, self._calendar).day(SegmentClass.CASH, today)
        touched = tracks.touched_between(connection, begins, ends)
        return charts.timeline(list(connection.execute(came).scalars()), touched, hours, now, self._mode)
