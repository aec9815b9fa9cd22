"""Attempts: each physical try at the broker, written down before its first byte leaves.

Times here are the machine's, never the paper clock's: proof of absence needs time that nobody can jump over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from core.db import bulk
from core.db.statement import Statement
from core.db.tables import attempts, orders
from core.domain.attempt import AttemptState


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`posts` counts tries under one correlation id: more than one only after proof that none before it arrived.

    `refusal` is what Dhan said last, in the desk's word (core.broker.port, Refusal), and `code` in its own; `words` say
    what became of the try.
    """

    id: int
    order_id: int
    number: int
    correlation_id: str
    state: AttemptState
    epoch: int
    request: Mapping[str, Any]
    posts: int
    claimed_at: datetime
    refusal: str | None
    code: str | None
    words: str | None
    lookups: int
    absences: int
    next_lookup_at: datetime | None


LONGEST_WAIT = timedelta(minutes=1)
"""No look-up is put off for longer."""

_COLUMNS = [attempts.c[field.name] for field in fields(Attempt)]
_OF_ORDERS = Statement(
    select(*_COLUMNS).where(attempts.c.order_id.in_(bindparam("order_ids", expanding=True))).order_by(attempts.c.id)
)
_START = Statement(insert(attempts))
_SETTLE = Statement(update(attempts).where(attempts.c.id == bindparam("attempt_id")))


def last_of(connection: Connection, order_id: int) -> Attempt | None:
    query = select(*_COLUMNS).where(attempts.c.order_id == order_id).order_by(attempts.c.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return Attempt(**row) if row else None


def get(connection: Connection, attempt_id: int) -> Attempt:
    return Attempt(**connection.execute(select(*_COLUMNS).where(attempts.c.id == attempt_id)).mappings().one())


def of_orders(connection: Connection, order_ids: Iterable[int]) -> list[Attempt]:
    return [Attempt(**row) for row in _OF_ORDERS.mappings(connection, {"order_ids": list(order_ids)})]


def owners(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The order that each of these names was given to; names that are not ours are left out."""
    query = select(attempts.c.correlation_id, attempts.c.order_id).where(attempts.c.correlation_id.in_(names))
    return {row.correlation_id: row.order_id for row in connection.execute(query)}


def open_attempts(connection: Connection) -> list[Attempt]:
    """Attempts whose outcome nobody wrote down."""
    query = select(*_COLUMNS).where(attempts.c.state == AttemptState.OPEN)
    return [Attempt(**row) for row in connection.execute(query).mappings()]


def due_for_lookup(connection: Connection, at: datetime) -> list[Attempt]:
    """Attempts in doubt whose next look-up has come, oldest doubt first.

    One that lies further ahead than any look-up is put off has come, too: the machine's clock was set back.
    """
    come = (attempts.c.next_lookup_at <= at) | (attempts.c.next_lookup_at > at + LONGEST_WAIT)
    query = select(*_COLUMNS).where(attempts.c.state == AttemptState.UNKNOWN, come)
    return [Attempt(**row) for row in connection.execute(query.order_by(attempts.c.id)).mappings()]


@dataclass(frozen=True, kw_only=True)
class Try:
    """An attempt about to be made."""

    order_id: int
    number: int
    name: str
    request: Mapping[str, Any]


def start(connection: Connection, tries: Sequence[Try], *, epoch: int, at: datetime) -> list[int]:
    """Write these down as open; their ids, in the same order. Needs the write lock: they are given here."""
    if not tries:
        return []
    first = bulk.reserve_ids(connection, attempts, len(tries)) + 1
    ids = list(range(first, first + len(tries)))
    rows = [
        {
            "id": number,
            "order_id": each.order_id,
            "number": each.number,
            "correlation_id": each.name,
            "state": AttemptState.OPEN,
            "epoch": epoch,
            "request": each.request,
            "posts": 1,
            "claimed_at": at,
            "lookups": 0,
            "absences": 0,
        }
        for number, each in zip(ids, tries, strict=True)
    ]
    _START.run_each(connection, rows)
    return ids


def start_again(
    connection: Connection, attempt: Attempt, *, epoch: int, request: Mapping[str, Any], at: datetime
) -> int:
    """The same attempt once more, after proof that the broker does not have it; what is asked for may have changed."""
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt.id)
        .values(
            state=AttemptState.OPEN,
            epoch=epoch,
            request=request,
            posts=attempt.posts + 1,
            claimed_at=at,
            settled_at=None,
        )
    )
    return attempt.id


def settle(
    connection: Connection,
    attempt_id: int,
    state: AttemptState,
    *,
    at: datetime,
    refusal: str | None = None,
    code: str = "",
    words: str = "",
) -> None:
    settle_all(connection, [attempt_id], state, at=at, refusal=refusal, code=code, words=words)


def settle_all(
    connection: Connection,
    ids: Sequence[int],
    state: AttemptState,
    *,
    at: datetime,
    refusal: str | None = None,
    code: str = "",
    words: str = "",
) -> None:
    """The same end for all of these."""
    said = {"refusal": refusal, "code": code, "words": words}
    outcome = {"state": state, "settled_at": at, "next_lookup_at": None} | said
    _SETTLE.run_each(connection, [{"attempt_id": each} | outcome for each in ids])


def give_back(connection: Connection, attempt_id: int, *, at: datetime) -> None:
    """It was claimed and not tried: this claim does not count, and what Dhan said before still stands."""
    values = {"state": AttemptState.NOT_SENT, "settled_at": at, "posts": attempts.c.posts - 1}
    connection.execute(update(attempts).where(attempts.c.id == attempt_id).values(**values))


def doubt(connection: Connection, attempt_id: int, *, next_lookup_at: datetime | None, words: str) -> None:
    """Nobody knows; no next look-up means that look-ups cannot settle it."""
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(state=AttemptState.UNKNOWN, next_lookup_at=next_lookup_at, words=words)
    )


def looked_up(connection: Connection, attempt: Attempt, *, absent: bool, next_lookup_at: datetime) -> Attempt:
    """Count a look-up; only a good answer that says no counts as an absence."""
    counted = replace(
        attempt,
        lookups=attempt.lookups + 1,
        absences=attempt.absences + absent,
        next_lookup_at=next_lookup_at,
    )
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt.id)
        .values(lookups=counted.lookups, absences=counted.absences, next_lookup_at=next_lookup_at)
    )
    return counted


def begin_again(connection: Connection, attempt: Attempt, at: datetime) -> Attempt:
    """Count the attempt's age from now on: the machine's clock was set back behind its claim."""
    connection.execute(update(attempts).where(attempts.c.id == attempt.id).values(claimed_at=at))
    return replace(attempt, claimed_at=at)


def ours_among(connection: Connection, book: Mapping[str, str]) -> set[str]:
    """Of a book, the broker's order ids with their correlation ids, those that are ours by either."""
    by_id = select(orders.c.broker_order_id).where(orders.c.broker_order_id.in_(list(book)))
    by_name = select(attempts.c.correlation_id).where(attempts.c.correlation_id.in_(list(book.values())))
    names = set(connection.execute(by_name).scalars())
    return set(connection.execute(by_id).scalars()) | {key for key, name in book.items() if name in names}


def ages(connection: Connection, at: datetime) -> list[float]:
    """Ages in seconds of the order calls of the last day, for the limiter: each call of an attempt as its last one."""
    query = select(attempts.c.claimed_at, attempts.c.posts).where(attempts.c.claimed_at > at - timedelta(days=1))
    calls = connection.execute(query)
    return [max((at - claimed).total_seconds(), 0) for claimed, posts in calls for _ in range(posts)]
