"""What the operator is told: one card per alert, kept up to date, and messages that ring.

Rows are written in the transaction of the change they tell about; the relay sends them, at least once and in order.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    case,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from core import loudness
from core.clock import to_india
from core.db.statement import Statement
from core.db.tables import alerts, cards, operators, orders, outbox
from core.domain.notice import STAND_ALONE, Loudnesses, Notice
from core.domain.order import Order, OrderState
from core.errors import DeskError
from core.reports import AlertReport

TURNED_OFF = "turned off by its reader"
LONGEST_WAIT = timedelta(minutes=10)
"""No chat and no message is put off for longer."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One row of the outbox, ready to be sent."""

    id: int
    chat_id: int
    alert_id: int | None
    kind: Notice
    payload: Mapping[str, Any]
    failures: int
    is_silent: bool = False


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card as one chat has it. `message_id` is None until Telegram said which message it is."""

    id: int
    alert_id: int
    chat_id: int
    nonce: str
    message_id: int | None
    failures: int


class ChatUnreachable(DeskError):
    """The operator blocked the bot, or never wrote to it."""


class MessageRefused(DeskError):
    """Telegram will not take this one as it is; others of the same chat may go through."""


class Messenger(Protocol):
    """Puts rows into chats. Both raise TelegramUnavailable, ChatUnreachable or MessageRefused.

    After TelegramUnavailable it may have been sent all the same.
    """

    async def show_card(self, card: Card, report: AlertReport) -> int:
        """Edit the card's message, or send it when there is none (any more); returns the message's id."""
        ...

    async def ring(self, message: Message) -> int:
        """Send a new message, which makes a sound unless it is silent, or edit the one it names; returns its id."""
        ...


_ASKING = (OrderState.AWAITING_APPROVAL, OrderState.NEEDS_OPERATOR)


def has_come(not_before: Column[Any]) -> ColumnElement[bool]:
    """Whether what was put off until then is to be tried at the machine time that `moment` names.

    What lies further ahead than anything is put off has come, too: the machine's clock was set back.
    """
    now, set_back = (bindparam(name, type_=not_before.type) for name in ("now", "set_back"))
    return or_(not_before.is_(None), not_before <= now, not_before > set_back)


def moment(wall: datetime) -> dict[str, datetime]:
    """The values that `has_come` leaves open."""
    return {"now": wall, "set_back": wall + LONGEST_WAIT}


def _owed(table: Table, *columns: Column[Any]) -> Select[Any]:
    """Only to operators of now. `not_before` is machine time: moving the paper clock neither hurries nor delays it."""
    return (
        select(*columns)
        .where(table.c.due_at.is_not(None), table.c.chat_id.in_(select(operators.c.chat_id)))
        .where(has_come(table.c.not_before))
        .where(table.c.chat_id.not_in(bindparam("but", expanding=True)))
        .limit(bindparam("most"))
    )


_MESSAGE = [outbox.c[field.name] for field in fields(Message) if field.name in outbox.c]
_DUE_CARDS = Statement(
    _owed(cards, *(cards.c[field.name] for field in fields(Card))).order_by(
        exists().where(orders.c.alert_id == cards.c.alert_id, orders.c.state.in_(_ASKING)).desc(),
        cards.c.due_at,
        cards.c.id,
    )
)
_DUE_MESSAGES = Statement(
    _owed(outbox, *_MESSAGE)
    .where(or_(outbox.c.kind.in_(STAND_ALONE), outbox.c.chat_id.not_in(bindparam("gathering", expanding=True))))
    .order_by(outbox.c.id)
)
_CHATS = Statement(select(operators.c.chat_id))
_ADD_CARDS = Statement(insert(cards))
_RING = Statement(insert(outbox))
_NEWEST = select(alerts.c.card_version).where(alerts.c.id == cards.c.alert_id).scalar_subquery()
_SHOWN = Statement(
    update(cards)
    .where(cards.c.id == bindparam("card_id"))
    .values(failures=0, not_before=None, due_at=case((bindparam("shown") == _NEWEST, null()), else_=cards.c.due_at))
)


def chats(connection: Connection) -> list[int]:
    """Everybody who is told."""
    return [chat for (chat,) in _CHATS.rows(connection)]


def open_cards(connection: Connection, alert_id: int, at: datetime) -> None:
    """Give every operator a card for this alert."""
    rows = [
        {
            "alert_id": alert_id,
            "chat_id": chat,
            "nonce": secrets.token_urlsafe(16),
            "shown_version": 0,
            "due_at": at,
            "failures": 0,
        }
        for chat in chats(connection)
    ]
    _ADD_CARDS.run_each(connection, rows)


def ring(connection: Connection, kind: Notice, *, at: datetime, alert_id: int | None = None, **payload: Any) -> None:
    """A message to every operator, as loud as he wants it. One that he turned off is kept, and not sent."""
    _ring_all(connection, [(kind, alert_id, payload)], at)


def _ring_all(
    connection: Connection, messages: Sequence[tuple[Notice, int | None, Mapping[str, Any]]], at: datetime
) -> None:
    if not messages:
        return
    wishes, everybody = loudness.read_all(connection), chats(connection)
    deaf = {(chat, kind) for chat, wished in wishes.items() for kind, _, _ in messages if wished.is_off(kind)}
    rows = [
        {
            "chat_id": chat,
            "alert_id": alert_id,
            "kind": kind,
            "payload": payload,
            "created_at": at,
            "due_at": None if (chat, kind) in deaf else at,
            "left_out": TURNED_OFF if (chat, kind) in deaf else None,
            "failures": 0,
        }
        for kind, alert_id, payload in messages
        for chat in everybody
    ]
    _RING.run_each(connection, rows)


def rang_lately(
    connection: Connection, kind: Notice, now: datetime, *, within: timedelta = timedelta(minutes=1)
) -> bool:
    """Whether a message of that kind rang just now: a desk that restarts in a loop rings once."""
    last = connection.execute(select(func.max(outbox.c.created_at)).where(outbox.c.kind == kind)).scalar()
    return last is not None and abs(now - last) < within


def ring_order(connection: Connection, kind: Notice, order: Order, *, at: datetime, words: str) -> None:
    """Ring about one order, with what it is and what became of it as facts."""
    ring_orders(connection, [(kind, order, words)], at=at)


def ring_orders(connection: Connection, news: Iterable[tuple[Notice, Order, str]], *, at: datetime) -> None:
    """Ring about each of these orders, as `ring_order` does."""
    _ring_all(connection, [(kind, order.alert_id, _facts(order, words)) for kind, order, words in news], at)


def _facts(order: Order, words: str) -> dict[str, Any]:
    return {
        "order": order.label,
        "side": order.side,
        "quantity": order.quantity,
        "filled": order.filled_quantity,
        "average": str(order.average_price) if order.average_price is not None else None,
        "symbol": order.symbol,
        "exchange": order.exchange,
        "words": words,
    }


def redraw_waiting(connection: Connection, at: datetime, limit: int) -> None:
    """Show the cards that wait for a tap anew, the most pressing ones: the time left on them has run on."""
    waiting = (
        select(orders.c.alert_id)
        .where(orders.c.state == OrderState.AWAITING_APPROVAL)
        .order_by(orders.c.expires_at)
        .limit(limit)
    )
    shown = cards.c.due_at.is_(None)
    connection.execute(update(cards).where(cards.c.alert_id.in_(waiting), shown).values(due_at=at))


def due_cards(connection: Connection, wall: datetime, limit: int, but: Iterable[int] = ()) -> list[Card]:
    """Cards that do not show the latest version, those that ask first, then the longest owed; `but` not these chats."""
    wanted = {**moment(wall), "most": limit, "but": list(but)}
    return [Card(**row) for row in _DUE_CARDS.mappings(connection, wanted)]


def due_messages(
    connection: Connection, wall: datetime, limit: int, but: Iterable[int] = (), gathering: Iterable[int] = ()
) -> list[Message]:
    """The longest owed; `but` not these chats, and to those that are `gathering` only what is never folded."""
    wanted = {**moment(wall), "most": limit, "but": list(but), "gathering": list(gathering)}
    return [Message(**row) for row in _DUE_MESSAGES.mappings(connection, wanted)]


def hushed(connection: Connection, messages: Iterable[Message], now: datetime) -> list[Message]:
    """The messages, those silent that their reader wants silent at this time."""
    wishes, clock = loudness.read_all(connection), to_india(now).time()
    return [
        replace(message, is_silent=message.chat_id in wishes and _is_silent(wishes[message.chat_id], message, clock))
        for message in messages
    ]


def _is_silent(wished: Loudnesses, message: Message, clock: time) -> bool:
    kinds = [message.kind]
    if message.kind is Notice.SUMMARY:
        kinds = [Notice(row["kind"]) for row in message.payload["rows"]]
    return all(wished.is_silent(kind, clock) for kind in kinds)


def card_shown(connection: Connection, card: Card, message_id: int, version: int) -> None:
    """The chat now shows this version; the card stays due when there is a newer one."""
    _SHOWN.run(connection, {"card_id": card.id, "message_id": message_id, "shown_version": version, "shown": version})


def message_sent(connection: Connection, message: Message, message_id: int, at: datetime) -> None:
    connection.execute(
        update(outbox)
        .where(outbox.c.id == message.id)
        .values(sent_at=at, message_id=message_id, due_at=None, not_before=None)
    )


def put_off(connection: Connection, owed: Card | Message, not_before: datetime) -> None:
    """It could not be delivered: try again then, at most LONGEST_WAIT from now, and nothing else of that chat before
    it.
    """
    for table in (cards, outbox):
        waiting = update(table).where(table.c.chat_id == owed.chat_id, table.c.due_at.is_not(None))
        connection.execute(waiting.values(not_before=not_before))
    put_off_alone(connection, owed, not_before)


def put_off_alone(connection: Connection, owed: Card | Message, not_before: datetime) -> None:
    """This one could not be delivered: try it again then; the rest of its chat goes on."""
    table = cards if isinstance(owed, Card) else outbox
    later = {"failures": owed.failures + 1, "not_before": not_before}
    connection.execute(update(table).where(table.c.id == owed.id).values(later))


def find_card(connection: Connection, nonce: str) -> Card | None:
    columns = [cards.c[field.name] for field in fields(Card)]
    row = connection.execute(select(*columns).where(cards.c.nonce == nonce)).mappings().first()
    return Card(**row) if row else None


def enrol(connection: Connection, people: Iterable[tuple[int, str]]) -> None:
    """Make the settings' operators the ones who are told; a private chat has its user's id."""
    wanted = dict(people)
    connection.execute(operators.delete().where(operators.c.user_id.not_in(wanted)))
    known = set(connection.execute(select(operators.c.user_id)).scalars())
    for user_id, role in wanted.items():
        if user_id in known:
            connection.execute(operators.update().where(operators.c.user_id == user_id).values(role=role))
        else:
            connection.execute(insert(operators).values(user_id=user_id, chat_id=user_id, role=role))
