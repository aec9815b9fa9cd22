"""Orders at Dhan under names of our form that no row here has.

They were made after a backup that was put back, or by another desk on the same account.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import BrokerOrder
from core.clock import Moment
from core.domain.attempt import is_like_ours
from core.domain.notice import Notice

_TOLD = "strangers"
_WORDS = (
    "Dhan has orders under this desk's names that its database does not know. They were sent after the backup that was "
    "put back, or by another desk on this account, and are left alone: look at them in Dhan's app. They are {orders}."
)
_MOST_NAMED = 4


def tell_of_strangers(
    connection: Connection, book: Iterable[BrokerOrder], ours: Mapping[int, list[BrokerOrder]], moment: Moment
) -> None:
    """Ring, once for each."""
    known = {row.order_id for rows in ours.values() for row in rows}
    strange = [row for row in book if is_like_ours(row.correlation_id) and row.order_id not in known]
    if not strange:
        return
    told = set((controls.fetch(connection, _TOLD) or {}).get("orders", []))
    new = [row for row in strange if row.order_id not in told]
    if not new:
        return
    fact = {"orders": [row.order_id for row in strange]}
    controls.put(connection, _TOLD, fact, at=moment.now, actor=journal.DHAN)
    named = ", ".join(_name(row) for row in new[:_MOST_NAMED])
    more = f" and {len(new) - _MOST_NAMED} more" if len(new) > _MOST_NAMED else ""
    words = _WORDS.format(orders=named + more)
    notifications.ring(connection, Notice.CONFLICT, at=moment.now, words=words)


def _name(row: BrokerOrder) -> str:
    return f"{row.side or '?'} {row.quantity} {row.symbol or row.security_id} ({row.status}, order {row.order_id})"
