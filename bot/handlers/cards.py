"""Taps on cards: find the card, do the one thing, say what happened, let the relay redraw."""

from collections.abc import Callable
from functools import partial
from typing import cast

from sqlalchemy import Connection
from telegram import CallbackQuery, Message, Update

from bot import keyboards, order_views
from bot.access import Context, Gate
from bot.callback_data import CardTap, Verb, unpack
from bot.commands import may
from bot.handlers.explanations import Explanations
from bot.handlers.questions import Questions
from bot.handlers.taps import say
from core import approvals, journal, notifications, offers
from core.approvals import Tap
from core.clock import Clock
from core.db import orders
from core.db.engine import Database
from core.domain.order import WAITING, Order
from core.domain.question import Question
from core.domain.sessions import Calendar
from core.engine.desk import Desk
from core.errors import AskTwice, Refusal
from core.notifications import Card
from core.settings import Role

Action = Callable[[Connection, Tap], str]
_ACTIONS: dict[Verb, Action] = {
    Verb.APPROVE: approvals.approve,
    Verb.CANCEL: approvals.cancel,
    Verb.SEND_AGAIN: approvals.send_again,
    Verb.DROP: approvals.drop,
    Verb.REPEAT: approvals.execute_repeat,
    Verb.CANCEL_WORKING: approvals.cancel_working,
    Verb.SNOOZE: offers.snooze,
    Verb.NET: offers.net,
    Verb.SUPERSEDE: offers.supersede,
}
_SURELY = {Verb.APPROVE: Verb.APPROVE_SURELY, Verb.SOONER: Verb.SOONER_SURELY}
_OLD = "This card is out of date; look at the newest one."


class CardTaps:
    def __init__(
        self,
        *,
        database: Database,
        desk: Desk,
        clock: Clock,
        calendar: Calendar,
        gate: Gate,
        questions: Questions,
        explanations: Explanations,
    ) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock
        self._gate = gate
        self._questions = questions
        self._explanations = explanations
        sooner = partial(offers.sooner, bundled=calendar)
        self._actions: dict[Verb, Action] = {
            **_ACTIONS,
            Verb.SOONER: sooner,
            Verb.APPROVE_SURELY: approvals.approve,
            Verb.SOONER_SURELY: sooner,
        }

    async def handle(self, update: Update, _context: Context) -> None:
        query = update.callback_query
        if query is None:
            return
        tap = unpack(query.data)
        card = await self._card(query, tap)
        if tap is None or card is None:
            await say(query, _OLD, alarm=True)
        elif tap.verb is Verb.DETAILS:
            await say(query, "")
            await self._explanations.tell(cast("Message", query.message), card.alert_id)
        elif not may(self._gate.role(update), Role.APPROVER):
            await say(query, "You may look, but not decide.", alarm=True)
        elif tap.verb is Verb.ASK_SEND_AGAIN:
            await say(query, "Only if you are sure that Dhan does not have it.")
            await query.edit_message_reply_markup(keyboards.confirm_send_again(tap.nonce, tap.version))
        elif tap.verb is Verb.ASK_CANCEL_WORKING:
            await say(query, "Not yet: “Yes, cancel it” asks Dhan to cancel what is not filled.")
            await query.edit_message_reply_markup(keyboards.confirm_cancel_working(tap.nonce, tap.version))
        elif tap.verb is Verb.EDIT:
            await self._ask_for_terms(query, tap, card)
        elif tap.verb is Verb.BACK:
            await say(query, "Nothing was sent.")
            await self._redraw(card)
        else:
            await self._act(query, tap, card)

    async def _act(self, query: CallbackQuery, tap: CardTap, card: Card) -> None:
        action = self._actions[tap.verb]
        what = self._tap(query, tap, card)
        try:
            done = await self._database.write(lambda connection: action(connection, what))
        except AskTwice as question:
            await say(query, str(question), alarm=True)
            buttons = keyboards.confirm_approval(tap.nonce, tap.version, _SURELY[tap.verb])
            await query.edit_message_reply_markup(buttons)
            return
        except Refusal as refusal:
            await say(query, str(refusal), alarm=True)
            await self._redraw(card)
            return
        self._desk.nudge()
        await say(query, done)

    async def _ask_for_terms(self, query: CallbackQuery, tap: CardTap, card: Card) -> None:
        what = self._tap(query, tap, card)

        def look(connection: Connection) -> list[Order]:
            approvals.check_version(connection, what)
            return [order for order in orders.of_alert(connection, card.alert_id) if order.state in WAITING]

        try:
            waiting = await self._database.read(look)
        except Refusal as refusal:
            await say(query, str(refusal), alarm=True)
            await self._redraw(card)
            return
        await say(query, "")
        how, user = order_views.how_to_edit(waiting), query.from_user.id
        facts = {"alert_id": card.alert_id, "version": tap.version, "again": f"Reply {how}"}
        text = f"Alert {card.alert_id}: reply to this message {how}"
        await self._questions.ask_in_words(cast("Message", query.message), Question.EDIT, facts, text, user=user)

    def _tap(self, query: CallbackQuery, tap: CardTap, card: Card) -> Tap:
        return Tap(
            alert_id=card.alert_id,
            version=tap.version,
            user_id=query.from_user.id,
            at=self._clock.now(),
            leg=tap.leg,
            is_sure=tap.verb in _SURELY.values(),
        )

    async def _card(self, query: CallbackQuery, tap: CardTap | None) -> Card | None:
        """The card that this button belongs to, if it is on the message that shows it now."""
        if tap is None or query.message is None:
            return None
        card = await self._database.read(lambda connection: notifications.find_card(connection, tap.nonce))
        here = (query.message.chat.id, query.message.message_id)
        return card if card is not None and here == (card.chat_id, card.message_id) else None

    async def _redraw(self, card: Card) -> None:
        at = self._clock.now()
        await self._database.write(lambda connection: journal.redraw_cards(connection, card.alert_id, at))
        self._desk.nudge()
