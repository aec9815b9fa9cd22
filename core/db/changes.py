"""Changes to orders at the broker: each written down before its call, at most one open per order.

Times of sending are the machine's, like those of attempts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from core.db.statement import Statement
from core.db.tables import changes
from core.domain.change import ChangeKind, ChangeState, Terms, Verdict

LONGEST_WAIT = timedelta(minutes=1)
"""No change is put off for longer."""
OPEN = (ChangeState.WANTED, ChangeState.SENT, ChangeState.ANSWERED)


@dataclass(frozen=True, kw_only=True)
class Change:
    """`posts` counts its calls, `words` are the evidence of the last one. Without `due_at` it is due at once."""

    id: int
    order_id: int
    kind: ChangeKind
    state: ChangeState
    verdict: Verdict | None
    quantity: int | None
    price: Decimal | None
    trigger_price: Decimal | None
    wanted_by: str
    due_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    posts: int
    words: str

    @property
    def terms(self) -> Terms:
        return Terms(quantity=self.quantity, price=self.price, trigger_price=self.trigger_price)


_COLUMNS = [changes.c[field.name] for field in fields(Change)]
_NOW, _SET_BACK = (bindparam(name, type_=changes.c.due_at.type) for name in ("now", "set_back"))
_DUE = Statement(
    select(*_COLUMNS)
    .where(changes.c.state == ChangeState.WANTED)
    .where(changes.c.due_at.is_(None) | (changes.c.due_at <= _NOW) | (changes.c.due_at > _SET_BACK))
    .order_by(changes.c.kind, changes.c.id)
    .limit(bindparam("most"))
)
_LAST_TERMS = Statement(
    select(*_COLUMNS)
    .where(changes.c.order_id == bindparam("order"), changes.c.kind == ChangeKind.MODIFY, changes.c.posts > 0)
    .order_by(changes.c.id.desc())
    .limit(1)
)
_TOUCHED = Statement(
    select(changes.c.order_id).where(
        changes.c.state.in_(OPEN) | (changes.c.answered_at > bindparam("since", type_=changes.c.answered_at.type))
    )
)


def add(connection: Connection, order_id: int, kind: ChangeKind, terms: Terms, *, wanted_by: str) -> None:
    connection.execute(
        insert(changes).values(
            order_id=order_id,
            kind=kind,
            state=ChangeState.WANTED,
            quantity=terms.quantity,
            price=terms.price,
            trigger_price=terms.trigger_price,
            wanted_by=wanted_by,
            posts=0,
            words="",
        )
    )


def open_of(connection: Connection, order_id: int) -> Change | None:
    """The change of this order that is not settled yet."""
    query = select(*_COLUMNS).where(changes.c.order_id == order_id, changes.c.state.in_(OPEN))
    row = connection.execute(query).mappings().first()
    return Change(**row) if row else None


def in_states(connection: Connection, states: Iterable[ChangeState]) -> list[Change]:
    """Oldest first."""
    query = select(*_COLUMNS).where(changes.c.state.in_(list(states))).order_by(changes.c.id)
    return [Change(**row) for row in connection.execute(query).mappings()]


def due(connection: Connection, at: datetime, limit: int) -> list[Change]:
    """Changes to be sent; cancellations first, since they take risk away.

    One that lies further ahead than any is put off is due, too: the machine's clock was set back.
    """
    moment = {"now": at, "set_back": at + LONGEST_WAIT, "most": limit}
    return [Change(**row) for row in _DUE.mappings(connection, moment)]


def update_from(connection: Connection, change: Change, *, state: ChangeState, **values: Any) -> bool:
    """Move the change on from the state in which it was seen; False when somebody else did that."""
    moved = connection.execute(
        update(changes).where(changes.c.id == change.id, changes.c.state == change.state).values(state=state, **values)
    )
    return moved.rowcount == 1


def touched_since(connection: Connection, at: datetime) -> set[int]:
    """Ids of orders that have an open change or had one lately: the book may still show them as they were."""
    return {order_id for (order_id,) in _TOUCHED.rows(connection, {"since": at})}


def count_modifications(connection: Connection, order_id: int) -> int:
    """How often Dhan was asked to change this order."""
    total = select(func.coalesce(func.sum(changes.c.posts), 0))
    return connection.execute(
        total.where(changes.c.order_id == order_id, changes.c.kind == ChangeKind.MODIFY)
    ).scalar_one()


def given_up(connection: Connection, order_id: int) -> Change | None:
    """The newest terms for this order that Dhan was asked for, where they are said not to have been taken."""
    last = [Change(**row) for row in _LAST_TERMS.mappings(connection, {"order": order_id})]
    return next((change for change in last if change.state is ChangeState.FAILED), None)


def ages(connection: Connection, at: datetime) -> list[float]:
    """Ages in seconds of the calls of the last day, for the limiter: each call of a change as its last one."""
    query = select(changes.c.sent_at, changes.c.posts).where(changes.c.sent_at > at - timedelta(days=1))
    calls = connection.execute(query)
    return [max((at - sent).total_seconds(), 0) for sent, posts in calls for _ in range(posts)]
