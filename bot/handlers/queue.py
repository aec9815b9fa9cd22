"""/queue: what waits, in pages, of one kind or symbol, and yes or no to all of it at once."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from sqlalchemy import Connection
from telegram import InlineKeyboardMarkup, Message, Update
from telegram.constants import ParseMode

from bot import desk_views, keyboards
from bot.access import Context, Gate
from bot.callback_data import Verb, unpack
from bot.commands import may
from bot.handlers.questions import Questions
from core import approvals, controls
from core.approvals import Tap
from core.clock import Clock
from core.db import alerts, orders
from core.db.engine import Database
from core.domain.order import WAITING, Order, OrderState
from core.domain.question import Question
from core.engine.desk import Desk
from core.errors import Refusal
from core.settings import Role

PAGE = 8
KINDS = {
    "all": (OrderState.AWAITING_APPROVAL, OrderState.QUEUED, OrderState.NEEDS_OPERATOR, OrderState.UNKNOWN),
    "asked": (OrderState.AWAITING_APPROVAL, OrderState.NEEDS_OPERATOR),
    "queued": (OrderState.QUEUED,),
}
USAGE = "For example: /queue, /queue asked, /queue queued, /queue RELIANCE"
_MOST_SYMBOL = 30


class Queue:
    def __init__(self, *, database: Database, desk: Desk, clock: Clock, gate: Gate, questions: Questions) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock
        self._gate = gate
        self._questions = questions

    async def queue(self, message: Message, arguments: list[str], role: Role) -> None:
        if len(arguments) > 1:
            raise Refusal(f"One kind or one symbol at a time. {USAGE}")
        which = _which(arguments[0] if arguments else "all")
        text, buttons = await self._page(which, 0, role)
        await message.reply_html(text, reply_markup=buttons)

    async def turn(self, update: Update, _context: Context) -> None:
        """The taps below the list."""
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or tap is None:
            return
        role, message = self._gate.role(update), cast("Message", query.message)
        if tap.verb is Verb.QUEUE:
            await query.answer()
            text, buttons = await self._page(tap.nonce, tap.version, role)
            await query.edit_message_text(text, ParseMode.HTML, reply_markup=buttons)
            return
        if not may(role, Role.APPROVER):
            await query.answer("You may look, but not decide.", show_alert=True)
            return
        kind = Question.APPROVE_ALL if tap.verb is Verb.APPROVE_ALL else Question.CANCEL_ALL
        found = await self._whole_alerts(tap.nonce, _TAKEN[kind])
        if not found:
            await query.answer("Nothing of that kind waits any more.", show_alert=True)
            return
        await query.answer()
        payload = {"alerts": await self._database.read(lambda c: _versions(c, found))}
        verb = "approve" if kind is Question.APPROVE_ALL else "cancel"
        these = "this order" if len(found) == 1 else f"these {len(found)} orders"
        text, yes = desk_views.all_of(verb, found), f"Yes, {verb} {these}"
        await self._questions.ask(message, kind, payload, text, yes, user=query.from_user.id)

    async def approve_all(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The yes to all that were listed; whatever has changed since is left alone."""
        return await self._each(Question.APPROVE_ALL, approvals.approve, payload, user_id, "approved")

    async def cancel_all(self, payload: Mapping[str, Any], user_id: int) -> str:
        return await self._each(Question.CANCEL_ALL, approvals.cancel, payload, user_id, "cancelled")

    async def _each(self, kind: Question, action: Any, payload: Mapping[str, Any], user_id: int, done: str) -> str:
        """Do it to each alert, and count its orders, as the question did."""
        at = self._clock.now()

        def act(connection: Connection) -> tuple[int, list[str]]:
            count, left = 0, list[str]()
            for alert_id, version in payload["alerts"]:
                legs = sum(order.state in _TAKEN[kind] for order in orders.of_alert(connection, alert_id))
                tap = Tap(alert_id=alert_id, version=version, user_id=user_id, at=at, is_sure=True)
                savepoint = connection.begin_nested()
                try:
                    answer = action(connection, tap)
                except Refusal as refusal:
                    savepoint.rollback()
                    left.append(f"{alert_id}: {refusal}")
                else:
                    savepoint.commit()
                    count += legs if answer.lower() == done else 0
                    left += [] if answer.lower() == done else [f"{alert_id}: {answer}."]
            return count, left

        count, left = await self._database.write(act)
        self._desk.nudge()
        words = f"{count} order{'s' * (count != 1)} {done}"
        return " ".join([f"{words};", "left as they are:", *left]) if left else words

    async def _page(self, which: str, number: int, role: Role) -> tuple[str, InlineKeyboardMarkup | None]:
        found, now = await self._waiting(which), self._clock.now()
        last = max(0, (len(found) - 1) // PAGE)
        number = min(number, last)
        shown = found[number * PAGE : (number + 1) * PAGE]
        holds = (await self._database.read(controls.holds)).values()
        text = desk_views.queue(shown, now, which=which, page=(number + 1, last + 1), total=len(found), holds=holds)
        states = {order.state for order in found} if may(role, Role.APPROVER) else set[OrderState]()
        return text, keyboards.queue_buttons(which, number, last, states, is_empty=not found)

    async def _whole_alerts(self, which: str, states: Collection[OrderState]) -> list[Order]:
        """What a yes is given to: an alert's legs go together, whichever of them was looked for."""
        named = {order.alert_id for order in await self._waiting(which) if order.state in states}
        everything = await self._waiting("all")
        return [order for order in everything if order.alert_id in named and order.state in states]

    async def _waiting(self, which: str) -> list[Order]:
        states = KINDS.get(which, KINDS["all"])
        found = await self._database.read(lambda c: orders.in_states(c, states))
        return [order for order in found if which in KINDS or order.symbol.upper() == which]


_TAKEN = {
    Question.APPROVE_ALL: (OrderState.AWAITING_APPROVAL,),
    Question.CANCEL_ALL: WAITING,
}


def _which(word: str) -> str:
    if word.lower() in KINDS:
        return word.lower()
    if not word.isascii() or len(word) > _MOST_SYMBOL or ":" in word:
        raise Refusal(f"That is no kind and no symbol. {USAGE}")
    return word.upper()


def _versions(connection: Connection, found: list[Order]) -> list[tuple[int, int]]:
    """The alerts of these orders with the version of the card that each has now."""
    stored = alerts.some(connection, {order.alert_id for order in found})
    return [(alert.id, alert.card_version) for alert in stored]
