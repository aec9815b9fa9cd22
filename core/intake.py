"""Taking alerts in: every alert that is answered with a 2xx was committed before its answer left.

The writer thread runs `Intake` once for all the alerts that wait, in one transaction.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from core import journal
from core.db.engine import Database
from core.db.prepared import Prepared
from core.db.tables import alerts, events, sources
from core.db.types import Instant
from core.domain.alert import AlertState
from core.domain.identity import Copy, FirstCopy, judge_copy
from core.domain.source import IdenticalAlerts

_REPLAYED = "This alert was executed before, and this copy of it is too old: it was not executed again."


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An authenticated alert as it came. `text` is its body without the secret; `refusal`: why it cannot be used."""

    digest: str
    text: str
    source_id: int
    received_at: datetime
    fired_at: datetime | None = None
    refusal: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What an arrival is. `alert_id` is the first copy's where it is one of several; `row_id` is its own row."""

    alert_id: int
    row_id: int
    uid: str
    copy: Copy

    @property
    def duplicate(self) -> bool:
        return self.copy in (Copy.RESEND, Copy.REPEAT)


@dataclass(frozen=True, kw_only=True)
class _First:
    """The latest alert with the same body that is not itself a repeat."""

    id: int
    uid: str
    refused: bool
    answered_at: datetime | None


def digest(body: bytes) -> str:
    """The same for the same bytes, whatever path they came by."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


class Intake:
    """Stores arrivals. Remembers whose senders still wait, so that a copy sent meanwhile is not taken for a resend.

    That an alert was answered is noted with the next write, or by `flush`: losing such a note in a crash only makes
    the next copy a resend, which is the safe side.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[str] = set()
        self._answered: deque[tuple[Receipt, datetime | None]] = deque()
        dialect = database.engine.dialect
        self._find_first = Prepared(_FIND_FIRST, dialect)
        self._add_alert = Prepared(_ADD_ALERT, dialect)
        self._add_event = Prepared(_ADD_EVENT, dialect)
        self._mark_answered = Prepared(_MARK_ANSWERED, dialect)

    async def store(self, arrival: Arrival) -> Receipt:
        """Commit the alert. Raises Unavailable when nothing was stored."""
        return await self._database.write_grouped(self._take_all, arrival)

    def close(self, receipt: Receipt, answered_at: datetime | None) -> None:
        """The request has ended: its reply left at that time, or its sender had gone (None)."""
        self._answered.append((receipt, answered_at))

    async def flush(self) -> None:
        """Write down which alerts were answered, if that is not yet done."""
        if self._answered:
            await self._database.write(self._note_answered)

    def _take_all(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        self._note_answered(connection)
        return [self._take(connection, arrival) for arrival in arrivals]

    def _note_answered(self, connection: Connection) -> None:
        for _ in range(len(self._answered)):
            receipt, at = self._answered.popleft()
            self._waiting.discard(receipt.uid)
            if at is not None:
                self._mark_answered.run(connection, {"row_id": receipt.row_id, "at": at})

    def _take(self, connection: Connection, arrival: Arrival) -> Receipt:
        first = self._first_copy(connection, arrival.digest)
        copy = Copy.NEW if first is None else self._judge(connection, arrival, first)
        if first is None or copy is Copy.NEW:
            receipt = self._add(connection, arrival)
        else:
            receipt = self._take_copy(connection, arrival, copy, first)
        self._waiting.add(receipt.uid)
        return receipt

    def _first_copy(self, connection: Connection, body_digest: str) -> _First | None:
        for row_id, uid, reason, answered_at in self._find_first.run(connection, {"body_digest": body_digest}):
            known = _AS_INSTANT.process_result_value(answered_at, connection.dialect)
            return _First(id=row_id, uid=uid, refused=bool(reason), answered_at=known)
        return None

    def _judge(self, connection: Connection, arrival: Arrival, first: _First) -> Copy:
        copy = judge_copy(
            FirstCopy(answered_at=first.answered_at, being_answered=first.uid in self._waiting),
            now=arrival.received_at,
            fired_at=arrival.fired_at,
            policy=_policy(connection, arrival.source_id),
        )
        return Copy.RESEND if copy is Copy.REPEAT and first.refused else copy

    def _add(self, connection: Connection, arrival: Arrival, **values: Any) -> Receipt:
        row = {**_row(arrival), **values}
        ((row_id,),) = self._add_alert.run(connection, row)
        event = {"at": row["received_at"], "alert_id": row_id, "after": row["state"], "reason": row["reason"]}
        self._add_event.run(connection, event)
        return Receipt(alert_id=row_id, row_id=row_id, uid=row["uid"], copy=Copy.NEW)

    def _take_copy(self, connection: Connection, arrival: Arrival, copy: Copy, first: _First) -> Receipt:
        if copy is Copy.REPLAY:
            added = self._add(connection, arrival, reason=_REPLAYED)
            return replace(added, copy=copy)
        if copy is Copy.RESEND:
            connection.execute(update(alerts).where(alerts.c.id == first.id).values(folded=alerts.c.folded + 1))
            receipt = Receipt(alert_id=first.id, row_id=first.id, uid=first.uid, copy=copy)
            words = "The same alert came again and was folded into this one."
        else:
            added = self._add(connection, arrival, state=AlertState.REPEAT, repeat_of=first.id)
            receipt = replace(added, alert_id=first.id, copy=copy)
            words = "An identical alert came; it waits for a tap and did nothing yet."
        journal.append(
            connection,
            journal.Event(at=arrival.received_at, alert_id=first.id, actor=journal.WEB, kind=copy.value, reason=words),
        )
        return receipt


_AS_INSTANT = Instant()
_FIND_FIRST = (
    select(alerts.c.id, alerts.c.uid, alerts.c.reason, alerts.c.answered_at)
    .where(alerts.c.digest == bindparam("body_digest"), alerts.c.repeat_of.is_(None))
    .order_by(alerts.c.id.desc())
    .limit(1)
)
_ADD_ALERT = (
    insert(alerts)
    .values({column.name: bindparam(column.name) for column in alerts.c if column is not alerts.c.id})
    .returning(alerts.c.id)
)
_MARK_ANSWERED = update(alerts).where(alerts.c.id == bindparam("row_id")).values(answered_at=bindparam("at"))
_ADD_EVENT = insert(events).values(
    at=bindparam("at"),
    alert_id=bindparam("alert_id"),
    actor=journal.WEB,
    kind="alert",
    after=bindparam("after"),
    reason=bindparam("reason"),
)


def _policy(connection: Connection, source_id: int) -> IdenticalAlerts:
    return connection.execute(select(sources.c.identical_alerts).where(sources.c.id == source_id)).scalar_one()


def _row(arrival: Arrival) -> dict[str, Any]:
    return {
        "uid": secrets.token_hex(16),
        "source_id": arrival.source_id,
        "state": AlertState.RECEIVED,
        "digest": arrival.digest,
        "body": arrival.text,
        "reason": arrival.refusal,
        "received_at": arrival.received_at,
        "answered_at": None,
        "fired_at": arrival.fired_at,
        "decided_at": None,
        "repeat_of": None,
        "folded": 0,
        "card_version": 1,
    }
