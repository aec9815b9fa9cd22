"""/cancel and /modify: which order, what of it, and for a change the second step before it is sent."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection
from telegram import Message

from bot import keyboards, order_views
from bot.text import cut
from core import changes, journal, questions
from core.approvals import Tap, check_version, tapped
from core.clock import Clock
from core.db import orders
from core.db.engine import Database
from core.domain.change import Terms
from core.domain.instrument import Instrument, Segment
from core.domain.order import WAITING, Order
from core.domain.question import Question
from core.edits import edit
from core.engine.desk import Desk
from core.errors import Refusal
from core.settings import Role

WHICH = "Which one? For example: /cancel 41.1"
EXAMPLE = "For example: /modify 41.1 price=1410 quantity=10 trigger=1400"
HOW = f"Which one, and how? {EXAMPLE}"
_MOST_NAMED = 40
_NAMES = {"price": "price", "quantity": "quantity", "qty": "quantity", "trigger": "trigger_price"}


class OrderCommands:
    """One method per command, named after it. `find` names an instrument by its segment and id."""

    def __init__(
        self, *, database: Database, desk: Desk, clock: Clock, find: Callable[[Segment, str], Instrument]
    ) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock
        self._find = find

    async def cancel(self, message: Message, arguments: list[str], _role: Role) -> None:
        """Cancel a leg, or every leg of an alert that can be; stopping things asks once only."""
        actor, at = journal.operator(_author(message)), self._clock.now()

        def act(connection: Connection) -> str:
            chosen = named_orders(connection, arguments[:1], WHICH)
            open_ones = [order for order in chosen if not order.state.is_final]
            done = [
                order_views.about(order, _cancel(connection, order, actor=actor, at=at))
                for order in open_ones or chosen[:1]
            ]
            return "\n\n".join(done)

        if not arguments:
            listed = await self._database.read(lambda c: orders.in_states(c, changes.CANCELLABLE))
            await _say(message, order_views.choices(listed, WHICH))
            return
        try:
            answer = await self._database.write(act)
        except Refusal as refusal:
            answer = order_views.plain(str(refusal))
        self._desk.nudge()
        await _say(message, answer)

    async def modify(self, message: Message, arguments: list[str], _role: Role) -> None:
        """Show the order before and after, and ask."""
        user, at = _author(message), self._clock.now()

        def ask(connection: Connection) -> tuple[str, str]:
            chosen = named_orders(connection, arguments[:1], HOW)
            if len(chosen) != 1:
                raise Refusal(f"That alert has {len(chosen)} orders: say which, like {chosen[0].label}.")
            order, wish = chosen[0], read_terms(arguments[1:], EXAMPLE)
            if order.state in WAITING:
                return order_views.edited(*self._edit(connection, order, wish, user)), ""
            instrument = self._find(order.segment, order.security_id)
            remarks = changes.check_terms(connection, order, wish, instrument, at=at)
            payload = {"order_id": order.id, "version": order.version, **_plain(wish)}
            question = questions.ask(connection, Question.MODIFY, payload, user_id=user, at=at)
            return order_views.change(order, wish, remarks), question

        try:
            shown, question = await self._database.write(ask)
        except Refusal as refusal:
            await _say(message, order_views.plain(str(refusal)))
            return
        if not question:
            self._desk.nudge()
            await _say(message, shown)
            return
        await message.reply_html(shown, reply_markup=keyboards.confirm(question, "Yes, change it"))

    async def change(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The tap below /modify. Raises Refusal."""
        actor, at = journal.operator(user_id), self._clock.now()

        def act(connection: Connection) -> str:
            order = orders.get(connection, payload["order_id"])
            if order.version != payload["version"]:
                raise Refusal("The order has moved on since you asked: look at its card, and ask again.")
            terms = _terms(payload)
            changes.check_terms(connection, order, terms, self._find(order.segment, order.security_id), at=at)
            return changes.modify(connection, order, terms, actor=actor, at=at)

        done = await self._database.write(act)
        self._desk.nudge()
        return done

    async def edit(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The reply to a card's Edit. Raises Refusal, StaleTap."""
        first, *rest = payload["reply"].split() or [""]
        leg = int(first) if _is_number(first) else 0
        wish = read_terms(rest if leg else [first, *rest])

        def act(connection: Connection) -> tuple[Order, list[str]]:
            tap = Tap(alert_id=payload["alert_id"], version=payload["version"], user_id=user_id, at=self._clock.now())
            check_version(connection, tap)
            legs = tapped(connection, tap)
            _check_leg(leg, len(legs), is_alone=not rest)
            waiting = [each for each in legs if leg in (0, each.position) and each.state in WAITING]
            if len(waiting) != 1:
                raise Refusal("Say which leg, like 2 quantity=5." if waiting else "That leg does not wait any more.")
            return self._edit(connection, waiting[0], wish, user_id)

        edited, remarks = await self._database.write(act)
        self._desk.nudge()
        now = f"{edited.label} is now {edited.side} {edited.quantity} {edited.symbol}; its card asks for your tap"
        return " ".join([f"{now}.", *remarks]) if remarks else now

    def _edit(self, connection: Connection, order: Order, wish: Terms, user: int) -> tuple[Order, list[str]]:
        instrument = self._find(order.segment, order.security_id)
        actor, at = journal.operator(user), self._clock.now()
        return edit(connection, order, wish, instrument, actor=actor, at=at)


def _cancel(connection: Connection, order: Order, *, actor: str, at: datetime) -> str:
    """What becomes of it; a leg that cannot be cancelled hinders no other, and is not passed over."""
    try:
        return changes.cancel(connection, order, actor=actor, at=at)
    except Refusal as refusal:
        return str(refusal)


def named_orders(connection: Connection, names: list[str], example: str) -> list[Order]:
    """The orders that a label names: 41.2 is one leg, 41 is all legs of the alert. Raises Refusal."""
    alert, dot, leg = (names[0] if names else "").partition(".")
    if not (_is_number(alert) and (_is_number(leg) or not dot)):
        raise Refusal(example)
    found = orders.of_alert(connection, int(alert))
    found = [order for order in found if not dot or order.position == int(leg)]
    if not found:
        raise Refusal(f"There is no order {names[0]}.")
    return found


def _check_leg(leg: int, legs: int, *, is_alone: bool) -> None:
    """Raises Refusal where the number before an edit's terms, 0 for none, is no leg of so many, or stands alone."""
    if leg and is_alone and legs == 1:
        raise Refusal(f"Write quantity={leg} (or price=…).")
    if leg > legs:
        how = "Leave the number out: quantity=5." if legs == 1 else "Say which leg, like 2 quantity=5."
        raise Refusal(f"There is no leg {leg}. {how}")
    if leg and is_alone:
        raise Refusal(f"Say what of leg {leg}, like {leg} quantity=5.")


def read_terms(words: list[str], example: str = "") -> Terms:
    """`price=1410 quantity=10 trigger=1400`, each at most once. Raises Refusal with the word that cannot be read."""
    named: dict[str, Decimal] = {}
    for word in words:
        name, _, value = word.partition("=")
        field, number = _NAMES.get(name.lower()), _number(value)
        if field is None or number is None:
            raise Refusal(f"'{cut(word, _MOST_NAMED)}' cannot be read. {example}".rstrip())
        if field in named:
            raise Refusal(f"'{name.lower()}' stands there twice. {example}".rstrip())
        named[field] = number
    quantity = named.get("quantity")
    if quantity is not None and quantity != int(quantity):
        raise Refusal("The quantity is a whole number.")
    return Terms(
        quantity=None if quantity is None else int(quantity),
        price=named.get("price"),
        trigger_price=named.get("trigger_price"),
    )


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 < number < 10**9 else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12


def _plain(terms: Terms) -> dict[str, Any]:
    price, trigger = terms.price, terms.trigger_price
    return {
        "quantity": terms.quantity,
        "price": None if price is None else str(price),
        "trigger_price": None if trigger is None else str(trigger),
    }


def _terms(payload: Mapping[str, Any]) -> Terms:
    price, trigger = payload["price"], payload["trigger_price"]
    return Terms(
        quantity=payload["quantity"],
        price=None if price is None else Decimal(price),
        trigger_price=None if trigger is None else Decimal(trigger),
    )


def _author(message: Message) -> int:
    if message.from_user is None:
        raise PermissionError("a command passed the gate without an author")
    return message.from_user.id


async def _say(message: Message, html: str) -> None:
    await message.reply_html(html, disable_web_page_preview=True)
