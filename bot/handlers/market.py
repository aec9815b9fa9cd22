"""The market's side of the chat: its calendar, what would become of an alert, and the operator's rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any

from sqlalchemy import Connection
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update

from bot import market_views, rules
from bot.access import Context, Gate
from bot.arguments import calendar_usage, read_day_change
from bot.callback_data import CardTap, Verb, pack, unpack
from bot.commands import may
from bot.handlers.questions import Questions
from bot.handlers.stops import author
from bot.handlers.taps import say
from core import holiday_feed, journal, market_days, policies, whatif
from core.broker.dhan.client import CallFailed
from core.clock import INDIA, to_india
from core.db import overrides
from core.db.overrides import Change, Override
from core.domain.question import Question
from core.domain.sessions import Calendar
from core.engine.parts import Parts
from core.errors import Refusal
from core.policies import Policies
from core.settings import Role, Settings

_LOOK_ONLY = "You may look at it; changing it needs the role admin."


class MarketCommands:
    """One method per command, named after it."""

    def __init__(self, *, settings: Settings, parts: Parts, gate: Gate, questions: Questions) -> None:
        self._feed_url = settings.holiday_feed_url
        self._parts = parts
        self._database = parts.database
        self._gate = gate
        self._questions = questions
        self._approvers = sum(may(role, Role.APPROVER) for role in settings.operators.values())

    async def calendar(self, message: Message, arguments: list[str], role: Role) -> None:
        if not arguments:
            text = await self._database.read(lambda c: self._calendar_text(c, market_views.calendar))
            await message.reply_html(text, reply_markup=_button("More days and hours", Verb.MORE_DAYS))
            return
        _check_role(role)
        match arguments[0].lower():
            case "open" | "close" as verb:
                await self._ask_for(message, [self._read_change(arguments[1:], is_open=verb == "open")])
            case "undo" if len(arguments) == 2 and arguments[1].isdecimal():
                await self._undo(message, int(arguments[1][:9]))
            case "fetch":
                await self._fetch(message)
            case _:
                usage = calendar_usage(to_india(self._parts.clock.now()).date())
                raise Refusal(f"That is nothing the calendar can do. For example:\n{usage}")

    async def more_days(self, update: Update, _context: Context) -> None:
        """The tap below the short calendar."""
        if (query := update.callback_query) is not None:
            text = await self._database.read(lambda c: self._calendar_text(c, market_views.whole_calendar))
            await query.answer()
            await query.edit_message_text(text, parse_mode="HTML")

    def _calendar_text(
        self, connection: Connection, view: Callable[[Calendar, Sequence[Override], datetime], str]
    ) -> str:
        calendar = market_days.in_force(connection, self._parts.calendar)
        return view(calendar, overrides.in_force(connection), self._parts.clock.now())

    def _read_change(self, words: list[str], *, is_open: bool) -> Change:
        now = to_india(self._parts.clock.now())
        asked = read_day_change(words, now.date())
        if asked.sessions and not is_open:
            raise Refusal("A closed day has no hours: leave them out, or end the closing with: until 14:00")
        ends = holiday_feed.end_of(asked.day)
        if asked.until is not None:
            ends = datetime.combine(asked.day, asked.until, INDIA)
        if ends <= now:
            raise Refusal("That would be over already.")
        return Change(
            market=asked.market,
            day=asked.day,
            is_open=is_open,
            sessions=asked.sessions,
            reason=asked.reason,
            expires_at=ends,
        )

    async def _ask_for(self, message: Message, changes: list[Change]) -> None:
        now, author = self._parts.clock.now(), _author(message)
        batch = await self._database.write(lambda c: market_days.ask(c, changes, by=author, at=now))
        text = market_views.proposal(changes)
        await message.reply_html(text, reply_markup=_button("Yes, change the calendar", Verb.CALENDAR, batch))

    async def _undo(self, message: Message, number: int) -> None:
        now, author, bundled = self._parts.clock.now(), _author(message), self._parts.calendar
        told = await self._database.write(lambda c: market_days.withdraw(c, number, bundled, by=author, at=now))
        self._parts.desk.nudge()
        await _say(message, market_views.changed(told))

    async def _fetch(self, message: Message) -> None:
        if self._feed_url is None:
            raise Refusal("No list is configured: set HOLIDAY_FEED_URL and restart the desk.")
        try:
            reply = await self._parts.client.call("GET", self._feed_url)
        except CallFailed as failure:
            raise Refusal(f"The list could not be fetched: {failure}.") from failure
        if not reply.is_success:
            raise Refusal(f"The list could not be fetched: its address answered {reply.status}.")
        today = to_india(self._parts.clock.now()).date()
        listed = holiday_feed.read_feed(reply.text)
        holiday_feed.check_is_current(listed, today)
        known = await self._database.read(lambda c: market_days.in_force(c, self._parts.calendar))
        found = holiday_feed.differences(known, listed, today)
        if not found:
            await _say(message, "The list says the same as the calendar.")
            return
        await self._ask_for(message, [replace(change, reason=f"{change.reason}, by the list") for change in found])

    async def whatif(self, message: Message, arguments: list[str], _role: Role) -> None:
        """`/whatif [TIME] ALERT`, the alert as TradingView sends it."""
        words = (message.text or "").split(maxsplit=1)[1:]
        body = words[0] if words else ""
        at = now = self._parts.clock.now()
        if arguments and not body.startswith("{"):
            at = whatif.read_moment(arguments[0], now)
            body = body.removeprefix(arguments[0]).strip()
        if not body:
            raise Refusal(f'Which alert? For example:\n/whatif {whatif.example(now)} {{"alertType": …}}')
        resolve, calendar = self._parts.instruments.resolve, self._parts.calendar
        told = await self._database.read(
            lambda c: whatif.foresee(c, body.encode(), at, resolve=resolve, calendar=calendar)
        )
        await _say(message, market_views.lines("What if", told))

    async def policy(self, message: Message, arguments: list[str], role: Role) -> None:
        now = await self._database.read(Policies.read)
        if not arguments:
            await _say(message, market_views.lines("Policies", [*rules.policy_words(now), "", rules.POLICY_USAGE]))
            return
        _check_role(role)
        await self._change(message, now, rules.change_policy(now, arguments))

    async def limits(self, message: Message, arguments: list[str], role: Role) -> None:
        now = await self._database.read(Policies.read)
        if not arguments:
            words = [*rules.limit_words(now.limits), "", rules.LIMITS_USAGE]
            await _say(message, market_views.lines("Limits", words))
            return
        _check_role(role)
        await self._change(message, now, replace(now, limits=rules.change_limits(now.limits, arguments)))

    async def _change(self, message: Message, before: Policies, after: Policies) -> None:
        """Tightening takes effect at once, loosening after a tap."""
        at, by, words = self._parts.clock.now(), _author(message), (message.text or "").removeprefix("/")
        if after == before:
            await _say(message, "It is so already.")
        elif after.two_people is not None and before.two_people is None and self._approvers < 2:
            raise Refusal("There is only one approver: add a second one to TELEGRAM_OPERATORS first.")
        elif rules.loosens(before, after):
            batch = await self._database.write(lambda c: policies.propose(c, after, at=at, actor=by, words=words))
            told = "\n".join([f"This lets more go without you: {words}", *rules.consequences(before, after)])
            facts, user = {"batch": batch}, author(message)
            await self._questions.ask(message, Question.LOOSEN, facts, escape(told), "Yes, loosen it", user=user)
        else:
            await self._database.write(lambda c: policies.save(c, after, at=at, actor=by, words=words))
            self._parts.desk.nudge()
            told = [words, *rules.consequences(before, after)]
            await _say(message, market_views.lines("Set", told))

    async def loosen(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The yes to a change that lets more go. Raises Refusal."""
        by, at = journal.operator(user_id), self._parts.clock.now()
        told = await self._database.write(lambda c: policies.accept(c, payload["batch"], at=at, actor=by))
        self._parts.desk.nudge()
        return told

    async def confirm(self, update: Update, _context: Context) -> None:
        """The tap below a change of the calendar."""
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or tap is None:
            return
        if not may(self._gate.role(update), Role.ADMIN):
            await query.answer(_LOOK_ONLY, show_alert=True)
            return
        at, by = self._parts.clock.now(), journal.operator(query.from_user.id)
        try:
            told = await self._database.write(
                lambda c: market_days.confirm(c, tap.nonce, self._parts.calendar, by=by, at=at)
            )
        except Refusal as refusal:
            await say(query, str(refusal), alarm=True)
            return
        self._parts.desk.nudge()
        await query.answer("Done")
        await query.edit_message_text(market_views.changed(told), parse_mode="HTML")


def _check_role(role: Role) -> None:
    if not may(role, Role.ADMIN):
        raise Refusal(_LOOK_ONLY)


def _button(words: str, verb: Verb, batch: str = "") -> InlineKeyboardMarkup:
    data = pack(CardTap(verb, batch, 0))
    return InlineKeyboardMarkup([[InlineKeyboardButton(words, callback_data=data)]])


def _author(message: Message) -> str:
    if message.from_user is None:
        raise PermissionError("a command passed the gate without an author")
    return journal.operator(message.from_user.id)


async def _say(message: Message, html: str) -> None:
    await message.reply_html(html, disable_web_page_preview=True)
