"""Right after a backup was put back, before any desk runs on it: what waited in it is in doubt.

The backup cannot say what happened after it was made. An order that waited may have been approved, sent and filled
since, or cancelled by its operator. So each is treated like one that was being sent when the desk stopped: it is looked
up at Dhan under its name, adopted if it is there, and asked about if it is not. Nothing that waited goes by itself.
"""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from core import controls, journal, notifications, restored
from core.clock import Moment, to_india
from core.controls import Hold
from core.db import alerts, attempts, changes, orders
from core.db.attempts import Try
from core.db.tables import alerts as alert_rows
from core.db.tables import events, questions
from core.db.tables import orders as order_rows
from core.domain.alert import AlertState
from core.domain.attempt import AttemptState
from core.domain.change import ChangeKind, ChangeState
from core.domain.notice import Notice
from core.domain.order import WAITING, Order, OrderState
from core.engine.claim import order_request
from core.engine.settle import fail

_BEYOND_ANY_CARD = 1_000
_DOUBT = "The database was put back as of {ends}: whether this order went out since then is being looked up at Dhan."
_UNDECIDED = (
    "The database was put back as of {ends}, when this alert had just come in. Whether it was carried out since then "
    "only Dhan's order book knows. Nothing is done with it here."
)
_PAUSED = (
    "Paused because the database was put back as of {ends}. What waited in it is looked up at Dhan, and asked about; "
    "alerts that came later are not in it. Check /queue, /limits and the orders in Dhan's app, then /resume."
)


def doubt_what_waited(connection: Connection, moment: Moment) -> int:
    """Bring a database that was put back into a state in which a desk may start on it; returns how many waited."""
    last = connection.execute(select(func.max(events.c.at))).scalar()
    ends = _spoken(last)
    restored.mark(connection, ends=last, at=moment.now)
    _void_old_buttons(connection)
    waited = orders.in_states(connection, WAITING)
    for order in waited:
        _doubt(connection, order, _DOUBT.format(ends=ends), moment)
    _refuse_undecided(connection, _UNDECIDED.format(ends=ends), moment)
    _forget_wishes(connection, _DOUBT.format(ends=ends), moment)
    words = _PAUSED.format(ends=ends)
    controls.set_hold(connection, Hold.PAUSED, words, at=moment.now, actor=journal.COMMAND_LINE)
    notifications.ring(connection, Notice.HELD, at=moment.now, words=words)
    return len(waited)


def _doubt(connection: Connection, order: Order, words: str, moment: Moment) -> None:
    """It may have been sent, and nobody can say what became of it."""
    name, attempt_id = _open_attempt(connection, order, moment)
    orders.move(connection, order, OrderState.UNKNOWN, at=moment.now, actor=journal.COMMAND_LINE, reason=words)
    attempts.doubt(connection, attempt_id, next_lookup_at=moment.wall, words=f"may have gone out as {name}")


def _open_attempt(connection: Connection, order: Order, moment: Moment) -> tuple[str, int]:
    earlier = attempts.of_orders(connection, [order.id])
    again = earlier[-1] if earlier and earlier[-1].state is AttemptState.NOT_SENT else None
    number = again.number if again else len(earlier) + 1
    uid = alerts.origins(connection, [order.alert_id])[order.alert_id][0]
    request = order_request(order, uid, number)
    name = request.correlation_id
    if again:
        return name, attempts.start_again(connection, again, epoch=0, request=vars(request), at=moment.wall)
    made = Try(order_id=order.id, number=number, name=name, request=vars(request))
    return name, attempts.start(connection, [made], epoch=0, at=moment.wall)[0]


def _refuse_undecided(connection: Connection, words: str, moment: Moment) -> None:
    ids = select(alert_rows.c.id).where(alert_rows.c.state == AlertState.RECEIVED)
    for alert in alerts.some(connection, list(connection.execute(ids).scalars())):
        notifications.open_cards(connection, alert.id, moment.now)
        alerts.decided(connection, alert, AlertState.REFUSED, at=moment.now, reason=words)
        told = f"Alert {alert.id}: {words}"
        notifications.ring(connection, Notice.ALERT_FAILED, at=moment.now, alert_id=alert.id, words=told)


def _forget_wishes(connection: Connection, words: str, moment: Moment) -> None:
    """New terms that were wanted, and questions that were open: a later answer may have been given already."""
    for change in changes.in_states(connection, [ChangeState.WANTED]):
        if change.kind is not ChangeKind.CANCEL:
            fail(connection, change, orders.get(connection, change.order_id), words, moment)
    connection.execute(delete(questions).where(questions.c.answered_at.is_(None)))


def _void_old_buttons(connection: Connection) -> None:
    """Cards in the chat may be of later versions than the backup's: no button on them may fit by chance."""
    is_open = [state for state in OrderState if not state.is_final]
    of_open_orders = select(order_rows.c.alert_id).where(order_rows.c.state.in_(is_open))
    version = alert_rows.c.card_version + _BEYOND_ANY_CARD
    connection.execute(update(alert_rows).where(alert_rows.c.id.in_(of_open_orders)).values(card_version=version))


def _spoken(instant: datetime | None) -> str:
    return f"{to_india(instant):%d %b at %H:%M:%S}" if instant else "its very beginning"
