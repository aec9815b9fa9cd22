"""What happens by itself when its time has come. Due times are rows, so a restart or a jump loses none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core import changes, journal, market_days, notifications, silence
from core.db import orders, overrides
from core.db.trouble import words_for_trouble
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.domain.sessions import Calendar, spoken
from core.engine import after_auction, held_up
from core.engine.apart import apart
from core.engine.claim import expire, expire_late
from core.errors import Unavailable

_UNANSWERED = "No yes came in time, and no answer is never a yes."


@dataclass(frozen=True)
class _Timer:
    name: str
    is_due: Callable[[], object]
    run: Callable[[], object]


def _timers(connection: Connection, calendar: Calendar, now: datetime) -> list[_Timer]:
    known = market_days.in_force(connection, calendar)
    return [
        _Timer(
            "end of the calendar",
            lambda: market_days.end_is_near(connection, known, now),
            lambda: market_days.warn_of_the_end(connection, known, now),
        ),
        _Timer(
            "calendar",
            lambda: overrides.are_over(connection, now),
            lambda: market_days.expire(connection, calendar, now),
        ),
        _Timer("expiry", lambda: orders.overdue(connection, now), lambda: expire_overdue(connection, now)),
        _Timer(
            "silence",
            lambda: silence.anything_to_tell(connection, known, now),
            lambda: silence.tell(connection, known, now),
        ),
        _Timer(
            "new terms",
            lambda: changes.terms_held_up(connection),
            lambda: changes.give_up_terms(connection, at=now),
        ),
        _Timer(
            "closing auction",
            lambda: after_auction.to_tell(connection, known, now),
            lambda: after_auction.tell(connection, known, now),
        ),
        _Timer("held up", lambda: held_up.to_tell(connection, now), lambda: held_up.tell(connection, now)),
        _Timer("reminders", lambda: orders.to_remind_of(connection, now), lambda: _remind_of_all(connection, now)),
    ]


def anything_is_due(connection: Connection, calendar: Calendar, now: datetime) -> bool:
    return any(_may_be_due(timer) for timer in _timers(connection, calendar, now))


def _may_be_due(timer: _Timer) -> bool:
    """Also where the question itself brings out a bug of ours: `run_due` puts it again, apart, and the log says why."""
    try:
        with words_for_trouble():
            return bool(timer.is_due())
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - as said above
        return True


def run_due(connection: Connection, calendar: Calendar, now: datetime) -> None:
    """End what waited too long or cannot wait, tell of what the closing auction takes no more or a hold keeps back,
    remind of what waits for a tap, and let the calendar's changes end. Each by itself, and each order that ends or is
    reminded of: a bug in one costs that one.
    """
    for timer in _timers(connection, calendar, now):
        with apart(connection, "timer_not_run", timer=timer.name):
            if timer.is_due():
                timer.run()


def expire_overdue(connection: Connection, now: datetime) -> int:
    """End every waiting order whose window has passed; returns how many."""
    overdue = orders.overdue(connection, now)
    for order in overdue:
        with apart(connection, "order_not_expired", order=order.label):
            if order.state is OrderState.AWAITING_APPROVAL:
                expire(connection, order, now, _UNANSWERED)
            else:
                expire_late(connection, order, now)
    return len(overdue)


def _remind_of_all(connection: Connection, now: datetime) -> None:
    for order in orders.to_remind_of(connection, now):
        with apart(connection, "not_reminded", order=order.label):
            _remind(connection, order, now)


def _remind(connection: Connection, order: Order, now: datetime) -> None:
    is_open = order.release_at is not None and order.release_at <= now
    until = spoken(order.expires_at) if order.expires_at else "the end of its window"
    words = f"{'Its window is open' if is_open else 'It still waits'}: approve it by {until}, or it expires."
    later = None if is_open else order.release_at
    noted = orders.note(connection, order, at=now, actor=journal.DESK, reason=words, remind_at=later)
    if noted is not None:
        notifications.ring_order(connection, Notice.REMINDER, noted, at=now, words=words)
