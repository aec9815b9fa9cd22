"""What was noted of an order at the broker, so that it is told once; gone when the order ends."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete

from core import controls, journal, notifications
from core.db.statement import Statement
from core.db.tables import settings
from core.domain.notice import Notice
from core.domain.order import Order

_DROP = Statement(delete(settings).where(settings.c.key == bindparam("mark")))


class Mark(StrEnum):
    """SHORT_FILL: Dhan called it traded before its book showed all of the fill. SHRUNK_FILL: the book lost some of it.

    PAST_DAY: the operator was asked what became of it. UNSETTLED: a bug of ours keeps that open.
    """

    RESTS = "rests"
    SHORT_FILL = "short_fill"
    SHRUNK_FILL = "shrunk_fill"
    PAST_DAY = "past_day"
    UNSETTLED = "unsettled"

    def of(self, order: Order) -> str:
        """The key of the note."""
        return f"{self}.{order.id}"


def fetch(connection: Connection, order: Order, mark: Mark) -> Mapping[str, Any] | None:
    """None: it was not noted."""
    return controls.fetch(connection, mark.of(order))


def put(connection: Connection, order: Order, mark: Mark, note: Mapping[str, Any], *, at: datetime) -> None:
    controls.put(connection, mark.of(order), note, at=at, actor=journal.DESK)


def drop(connection: Connection, ended: Iterable[Order]) -> None:
    """These orders have ended."""
    _DROP.run_each(connection, [{"mark": mark.of(order)} for order in ended for mark in Mark])


def tell_our_fault(connection: Connection, order: Order, words: str, *, at: datetime) -> None:
    """Ring once that a bug of ours keeps what became of it undecided: it is tried again and again."""
    if fetch(connection, order, Mark.UNSETTLED) is None:
        put(connection, order, Mark.UNSETTLED, {"words": words}, at=at)
        notifications.ring_order(connection, Notice.NEEDS_OPERATOR, order, at=at, words=words)
