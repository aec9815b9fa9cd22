"""Orders in the database: rows move only as the table of legal moves allows, and only from where they were seen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, bindparam, false, func, insert, select, true, update

from core import journal
from core.db import approvers
from core.db.statement import Statement
from core.db.tables import alerts, orders
from core.db.trouble import DatabaseUnavailable
from core.domain.order import AT_BROKER, IN_DOUBT, WAITING, Order, OrderState, check_move

_BEFORE_THE_BROKER = (
    OrderState.AWAITING_APPROVAL,
    OrderState.QUEUED,
    OrderState.SUBMITTING,
    OrderState.UNKNOWN,
    OrderState.NEEDS_OPERATOR,
)
_RECENT = 10_000
LONGEST_WAIT = timedelta(minutes=15)
"""No next try is put off for longer."""
_NAMES = [field.name for field in fields(Order)]
_COLUMNS = [orders.c[name] for name in _NAMES]
_FIELDS = frozenset(_NAMES)


def _among(column: Column[Any], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True))


# Built once: building a statement costs more than running it.
_ADD = insert(orders).returning(orders.c.id)
_ONE = Statement(select(*_COLUMNS).where(orders.c.id == bindparam("order_id")))
_SOME = Statement(select(*_COLUMNS).where(_among(orders.c.id, "order_ids")).order_by(orders.c.id))
_OF_ALERTS = Statement(
    select(*_COLUMNS).where(_among(orders.c.alert_id, "alert_ids")).order_by(orders.c.alert_id, orders.c.position)
)
_WITH_BROKER_IDS = Statement(select(*_COLUMNS).where(_among(orders.c.broker_order_id, "ids")).order_by(orders.c.id))
_KNOWN = orders.c.id, orders.c.broker_order_id, orders.c.state, orders.c.filled_quantity
_KNOWN_AS = Statement(select(*_KNOWN).where(_among(orders.c.id, "order_ids")))
_VERSIONS = Statement(select(orders.c.id, orders.c.version).where(_among(orders.c.id, "order_ids")))
_IN_STATES = Statement(
    select(*_COLUMNS).where(_among(orders.c.state, "states")).order_by(orders.c.release_at.nulls_first(), orders.c.id)
)
_NOW = bindparam("now", type_=orders.c.release_at.type)
_OVERDUE = Statement(select(*_COLUMNS).where(orders.c.state.in_(WAITING), orders.c.expires_at <= _NOW))
_FROM_BEFORE = Statement(
    select(*_COLUMNS)
    .where(orders.c.state.in_(AT_BROKER))
    .where(func.coalesce(orders.c.reaches_exchange_at, orders.c.updated_at) < _NOW)
    .order_by(orders.c.id)
)
_UNCONFIRMED = Statement(
    select(*_COLUMNS)
    .where(orders.c.state.in_(AT_BROKER), orders.c.confirmed.is_(false()), orders.c.filled_quantity == 0)
    .where(orders.c.updated_at <= _NOW)
    .order_by(orders.c.updated_at, orders.c.id)
)
_TO_REMIND_OF = Statement(
    select(*_COLUMNS).where(orders.c.state == OrderState.AWAITING_APPROVAL, orders.c.remind_at <= _NOW)
)
_AS_SEEN = Statement(
    update(orders)
    .where(orders.c.id == bindparam("order_id"), orders.c.state == bindparam("seen_state"))
    .where(orders.c.version == bindparam("seen_version"))
)
_SAME = ("segment", "security_id", "product")
_OPPOSITE = Statement(
    select(*_COLUMNS)
    .where(*(orders.c[name] == bindparam(f"its_{name}") for name in _SAME))
    .where(orders.c.side != bindparam("its_side"), orders.c.state.in_(bindparam("states", expanding=True)))
    .where(orders.c.id < bindparam("this"), orders.c.alert_id != bindparam("its_alert"))
    .order_by(orders.c.id.desc())
    .limit(1)
)

_NEW = {"version": 1, "filled_quantity": 0, "confirmed": False, "into_auction": False}


def _due() -> Select[Any]:
    earlier = orders.alias()
    an_earlier_leg_is_open = (
        select(earlier.c.id)
        .where(earlier.c.alert_id == orders.c.alert_id, earlier.c.position < orders.c.position)
        .where(
            earlier.c.state.in_(_BEFORE_THE_BROKER)
            | ((earlier.c.state == OrderState.WORKING) & earlier.c.confirmed.is_(false()))
            | ((earlier.c.state == OrderState.CANCELLING) & (earlier.c.filled_quantity == 0))
        )
        .exists()
    )
    set_back = bindparam("set_back", type_=orders.c.release_at.type)
    return (
        select(*_COLUMNS)
        .where(orders.c.state == OrderState.QUEUED, orders.c.release_at <= _NOW)
        .where(orders.c.retry_at.is_(None) | (orders.c.retry_at <= _NOW) | (orders.c.retry_at > set_back))
        .where(~an_earlier_leg_is_open)
        .order_by(orders.c.release_at, orders.c.id)
        .limit(bindparam("most"))
    )


_DUE = Statement(_due())
_DUE_EXITS = Statement(_due().where(orders.c.closes.is_(true())))


def _read(connection: Connection, query: Select[Any]) -> list[Order]:
    return [_order(row) for row in connection.execute(query)]


def _find(connection: Connection, statement: Statement, values: Mapping[str, Any]) -> list[Order]:
    return [_order(row) for row in statement.rows(connection, values)]


def _order(row: Sequence[Any]) -> Order:
    """Past `__init__`, which sets the forty fields of a frozen class one by one, for longer than the query takes."""
    order = object.__new__(Order)
    order.__dict__.update(zip(_NAMES, row, strict=True))
    return order


def _changed(order: Order, changes: Mapping[str, Any]) -> Order:
    """The order with what of the changes is its own; past `__init__` as well."""
    changed = object.__new__(Order)
    changed.__dict__.update(order.__dict__)
    changed.__dict__.update((name, value) for name, value in changes.items() if name in _FIELDS)
    return changed


def add(connection: Connection, values: dict[str, Any], *, at: datetime, actor: str) -> int:
    """Store a new order and its first event; returns its id. The cards are told by the decision that it belongs to."""
    order_id: int = connection.execute(
        _ADD,
        {**_NEW, **values, "created_at": at, "updated_at": at},
    ).scalar_one()
    new = journal.Event(
        at=at,
        alert_id=values["alert_id"],
        order_id=order_id,
        actor=actor,
        kind="order",
        after=values["state"],
        reason=values["reason"],
    )
    journal.append_all(connection, [new])
    return order_id


def get(connection: Connection, order_id: int) -> Order:
    """Raises LookupError when there is no such order."""
    found = _find(connection, _ONE, {"order_id": order_id})
    if not found:
        raise LookupError(f"there is no order {order_id}")
    return found[0]


def is_as_seen(connection: Connection, order: Order) -> bool:
    """Whether nobody has changed the order since."""
    return get(connection, order.id).version == order.version


def of_alert(connection: Connection, alert_id: int) -> list[Order]:
    """The alert's orders in leg order."""
    return of_alerts(connection, [alert_id]).get(alert_id, [])


def of_alerts(connection: Connection, alert_ids: Iterable[int]) -> dict[int, list[Order]]:
    found: dict[int, list[Order]] = {}
    for order in _find(connection, _OF_ALERTS, {"alert_ids": list(alert_ids)}):
        found.setdefault(order.alert_id, []).append(order)
    return found


def some(connection: Connection, order_ids: Iterable[int]) -> list[Order]:
    return _find(connection, _SOME, {"order_ids": list(order_ids)})


def versions(connection: Connection, order_ids: Iterable[int]) -> dict[int, int]:
    """How often each was written so far."""
    return dict(_VERSIONS.rows(connection, {"order_ids": list(order_ids)}))


@dataclass(frozen=True)
class AtBroker:
    order_id: str | None
    filled: int


def at_broker_as(connection: Connection, order_ids: Iterable[int]) -> dict[int, AtBroker | None]:
    """As what our rows know each order at the broker; None where they are in doubt."""
    known = _KNOWN_AS.rows(connection, {"order_ids": list(order_ids)})
    return {own: None if state in IN_DOUBT else AtBroker(theirs, filled) for own, theirs, state, filled in known}


def with_broker_ids(connection: Connection, ids: Iterable[str]) -> list[Order]:
    """Those that have one of these ids at the broker."""
    return _find(connection, _WITH_BROKER_IDS, {"ids": list(ids)})


def at_broker_from_before(connection: Connection, at: datetime) -> list[Order]:
    """Orders at the broker that reached the exchange before then."""
    return _find(connection, _FROM_BEFORE, {"now": at})


def in_states(connection: Connection, states: Iterable[OrderState]) -> list[Order]:
    """Orders in any of the states, those due first on top."""
    return _find(connection, _IN_STATES, {"states": list(states)})


def alike(connection: Connection, states: Iterable[OrderState], **same: Any) -> list[Order]:
    """Orders in any of the states whose columns of these names have these values."""
    of_these = (orders.c[name] == value for name, value in same.items())
    return _read(connection, select(*_COLUMNS).where(orders.c.state.in_(list(states)), *of_these).order_by(orders.c.id))


def count(connection: Connection, *states: OrderState) -> int:
    """How many orders are in any of the states."""
    return connection.execute(select(func.count()).where(orders.c.state.in_(states))).scalar_one()


def due(connection: Connection, now: datetime, limit: int, *, closing: bool = False) -> list[Order]:
    """Queued orders whose time and turn have come, in the order in which they should go out; or only the exits.

    A next try that lies further ahead than any is put off has come, too: the machine's clock was set back.
    """
    moment = {"now": now, "set_back": now + LONGEST_WAIT, "most": limit}
    return _find(connection, _DUE_EXITS if closing else _DUE, moment)


def releasing(
    connection: Connection,
    states: Iterable[OrderState],
    since: datetime,
    until: datetime,
    *,
    source_id: int | None = None,
) -> list[Order]:
    """Orders in any of the states that go or went out from `since` until before `until`; of one source, or of all."""
    query = select(*_COLUMNS).where(
        orders.c.state.in_(list(states)), orders.c.release_at >= since, orders.c.release_at < until
    )
    if source_id is not None:
        query = query.join(alerts, alerts.c.id == orders.c.alert_id).where(alerts.c.source_id == source_id)
    return _read(connection, query)


def overdue(connection: Connection, now: datetime) -> list[Order]:
    """Orders that still wait although their window has passed."""
    return _find(connection, _OVERDUE, {"now": now})


def to_remind_of(connection: Connection, now: datetime) -> list[Order]:
    """Orders that wait for a tap and whose reminder has come."""
    return _find(connection, _TO_REMIND_OF, {"now": now})


def unconfirmed_since(connection: Connection, at: datetime) -> list[Order]:
    """Orders that the broker had by then and neither confirmed nor began to fill, the oldest first."""
    return _find(connection, _UNCONFIRMED, {"now": at})


def opposite(connection: Connection, order: Order, states: Iterable[OrderState]) -> Order | None:
    """The newest older order of another alert in any of the states, for the same thing on the other side."""
    this = {"this": order.id, "its_alert": order.alert_id, "its_side": order.side, "states": list(states)}
    same = {f"its_{name}": getattr(order, name) for name in _SAME}
    return next(iter(_find(connection, _OPPOSITE, this | same)), None)


def remind(connection: Connection, order: Order, remind_at: datetime, *, by: str, on: datetime) -> None:
    """Ring about it then, if it still waits for a tap."""
    connection.execute(
        update(orders)
        .where(orders.c.id == order.id, orders.c.state == OrderState.AWAITING_APPROVAL)
        .values(remind_at=remind_at)
    )
    journal.append(
        connection, journal.Event(at=on, alert_id=order.alert_id, order_id=order.id, actor=by, kind="snoozed")
    )


def postpone(connection: Connection, order: Order, retry_at: datetime) -> None:
    """Look at a queued order again later; nothing about it changes, so there is no event."""
    connection.execute(
        update(orders).where(orders.c.id == order.id, orders.c.state == OrderState.QUEUED).values(retry_at=retry_at)
    )


def changed_since(connection: Connection, at: datetime) -> list[Order]:
    """In their order, which is not asked of SQLite: it would go through all orders rather than use the index."""
    return sorted(_read(connection, select(*_COLUMNS).where(orders.c.updated_at >= at)), key=lambda order: order.id)


def recent(connection: Connection, limit: int) -> list[Order]:
    """The newest orders first."""
    return _read(connection, select(*_COLUMNS).order_by(orders.c.id.desc()).limit(limit))


def after_market_between(connection: Connection, after: datetime, until: datetime) -> list[Order]:
    """After-market orders that reach the exchange in that span, of the latest few thousand orders."""
    newest = select(func.max(orders.c.id)).scalar_subquery()
    query = select(*_COLUMNS).where(
        orders.c.id > newest - _RECENT,
        orders.c.as_amo.is_(true()),
        orders.c.reaches_exchange_at > after,
        orders.c.reaches_exchange_at <= until,
    )
    return _read(connection, query.order_by(orders.c.id))


def move(
    connection: Connection,
    order: Order,
    to: OrderState,
    *,
    at: datetime,
    actor: str,
    reason: str,
    **changes: Any,
) -> Order | None:
    """Move the order as it was seen; None when somebody else moved it first. Raises IllegalMove on a bug of ours."""
    check_move(order.state, to)
    asks = to is OrderState.AWAITING_APPROVAL
    changes |= {"state": to, "reason": reason} | ({"approved_at": None} if asks else {})
    moved = _change(connection, order, changes, at=at, actor=actor, kind="move", before=order.state, after=to)
    if moved is not None and asks:
        approvers.forget(connection, order.id)
    return moved


def move_all(
    connection: Connection,
    moves: Sequence[tuple[Order, dict[str, Any]]],
    to: OrderState,
    *,
    at: datetime,
    actor: str,
) -> list[Order]:
    """Move orders that were read in this transaction, each with its changes, of which one is its `reason`.

    Raises DatabaseUnavailable, and then nothing of the transaction may stand, when one of them was moved meanwhile.
    """
    rows: list[dict[str, Any]] = []
    moved: list[Order] = []
    events: list[journal.Event] = []
    for order, more in moves:
        check_move(order.state, to)
        changes = more | {"state": to, "version": order.version + 1, "updated_at": at}
        rows.append({"order_id": order.id, "seen_state": order.state, "seen_version": order.version} | changes)
        moved.append(_changed(order, changes))
        events.append(
            journal.Event(
                at=at,
                alert_id=order.alert_id,
                order_id=order.id,
                actor=actor,
                kind="move",
                before=order.state,
                after=to,
                reason=more["reason"],
                data=_fill(order, more),
            )
        )
    if _AS_SEEN.run_each(connection, rows) != len(rows):
        raise DatabaseUnavailable("an order was moved by somebody else at the same moment")
    journal.append_together(connection, events, at)
    return moved


def note(
    connection: Connection, order: Order, *, at: datetime, actor: str, reason: str, **changes: Any
) -> Order | None:
    """Change facts of an order that keeps its state, with an event; None when somebody else moved it first."""
    return _change(connection, order, changes | {"reason": reason}, at=at, actor=actor, kind="note")


def _change(
    connection: Connection, order: Order, changes: dict[str, Any], *, at: datetime, actor: str, kind: str, **more: Any
) -> Order | None:
    changes |= {"version": order.version + 1, "updated_at": at}
    seen = {"order_id": order.id, "seen_state": order.state, "seen_version": order.version}
    if _AS_SEEN.run(connection, seen | changes) == 0:
        return None
    ids = {"alert_id": order.alert_id, "order_id": order.id}
    more["data"] = _fill(order, changes)
    journal.append(connection, journal.Event(at=at, **ids, actor=actor, kind=kind, reason=changes["reason"], **more))
    return _changed(order, changes)


def _fill(order: Order, changes: Mapping[str, Any]) -> dict[str, Any] | None:
    """How much is filled now, for the event that says so."""
    filled = changes.get("filled_quantity", order.filled_quantity)
    if filled == order.filled_quantity:
        return None
    average = changes.get("average_price", order.average_price)
    return {"filled": filled, "average": None if average is None else str(average)}
