"""Many messages at a time become one: after a burst, and when Telegram was away.

Nothing is dropped by it: each message that a summary tells is kept, with the summary's number, and the summary says of
every order how it stands at the end.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from core.db.statement import Statement
from core.db.tables import operators, outbox
from core.domain.notice import STAND_ALONE, Notice
from core.notifications import has_come, moment

MOST_ALONE = 5
MOST_IN_ONE = 50
MOST_AT_A_TIME = 200
"""More take longer than an order may wait."""
_OWED = outbox.c.due_at.is_not(None)
_MAY_BE_FOLDED = (_OWED, outbox.c.kind.not_in(STAND_ALONE))
_CROWDED = Statement(
    select(outbox.c.chat_id)
    .where(*_MAY_BE_FOLDED, has_come(outbox.c.not_before))
    .where(outbox.c.chat_id.in_(select(operators.c.chat_id)))
    .group_by(outbox.c.chat_id)
    .having(func.count() > MOST_ALONE)
)


def crowded(connection: Connection, wall: datetime) -> list[int]:
    """Chats to which more is due at this machine time than anybody wants to hear one by one."""
    return [chat for (chat,) in _CROWDED.rows(connection, moment(wall))]


def fold(connection: Connection, chat: int, at: datetime) -> bool:
    """Tell what is owed to this chat in as few messages as hold it. An unsent summary with room is taken in.

    True: it was more than is folded at a time.
    """
    alone = _owed(connection, chat)
    owed = [*_unsent_summaries(connection, chat), *alone]
    if not owed:
        return False
    rows = _last_of_each(owed)
    numbers = [
        connection.execute(
            insert(outbox).returning(outbox.c.id),
            {
                "chat_id": chat,
                "kind": Notice.SUMMARY,
                "payload": {"rows": rows[begin : begin + MOST_IN_ONE], "messages": _told(owed) if begin == 0 else 0},
                "created_at": at,
                "due_at": at,
                "failures": max(row.failures for row in owed),
            },
        ).scalar_one()
        for begin in range(0, len(rows), MOST_IN_ONE)
    ]
    told = update(outbox).where(outbox.c.id.in_([row.id for row in owed]))
    connection.execute(told.values(due_at=None, not_before=None, told_in=numbers[-1]))
    return len(alone) == MOST_AT_A_TIME


def _owed(connection: Connection, chat: int) -> list[Row[Any]]:
    query = select(outbox).where(*_MAY_BE_FOLDED, outbox.c.chat_id == chat)
    return list(connection.execute(query.order_by(outbox.c.id).limit(MOST_AT_A_TIME)))


def _unsent_summaries(connection: Connection, chat: int) -> list[Row[Any]]:
    query = select(outbox).where(_OWED, outbox.c.kind == Notice.SUMMARY, outbox.c.chat_id == chat)
    found = connection.execute(query.order_by(outbox.c.id))
    return [row for row in found if len(row.payload["rows"]) < MOST_IN_ONE]


def _told(owed: Collection[Row[Any]]) -> int:
    return sum(row.payload["messages"] if row.kind is Notice.SUMMARY else 1 for row in owed)


def _last_of_each(owed: Collection[Row[Any]]) -> list[dict[str, Any]]:
    """What was said last of each order, and everything that is about no order."""
    said: dict[Any, dict[str, Any]] = {}
    for number, row in enumerate(_facts(owed)):
        key = row.get("order", number)
        said.pop(key, None)
        said[key] = row
    return list(said.values())


def _facts(owed: Collection[Row[Any]]) -> Iterator[dict[str, Any]]:
    for row in owed:
        if row.kind is Notice.SUMMARY:
            yield from row.payload["rows"]
        else:
            yield {"kind": row.kind.value, **row.payload}
