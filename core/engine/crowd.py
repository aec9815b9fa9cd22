"""Saying that Dhan's limits keep due orders back for long: nobody else would, and an exit may be wanted meanwhile."""

from datetime import datetime, timedelta
from math import inf

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.domain.notice import Notice
from core.domain.order import Order
from core.domain.sessions import spoken

LONG = 60.0
"""Seconds. The limits of a second and a minute are over sooner; those of an hour and a day are not."""
_AGAIN = timedelta(hours=1)
_TOLD = "crowd.told"
_WORDS = (
    "This account has used up the orders that Dhan takes in an hour or in a day. What is due goes by itself from "
    "{since} on, unless its time is over by then."
)
_EXITS_GO = " Exits and cancellations have room of their own."


def is_long(wait: float) -> bool:
    return LONG <= wait < inf


def tell(connection: Connection, first: Order, wait: float, now: datetime) -> None:
    """Ring when there is no room for the first due order for `wait` seconds and that is long, once an hour."""
    if not is_long(wait):
        return
    told = controls.fetch(connection, _TOLD)
    if told is not None and abs(now - datetime.fromisoformat(told["at"])) < _AGAIN:
        return
    controls.put(connection, _TOLD, {"at": now.isoformat()}, at=now, actor=journal.DESK)
    words = _WORDS.format(since=spoken(now + timedelta(seconds=wait)))
    notifications.ring(connection, Notice.CROWDED, at=now, words=words + ("" if first.closes else _EXITS_GO))
