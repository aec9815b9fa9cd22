"""Taking alerts in: every alert that is answered with a 2xx was committed before its answer left.

`Intake` takes all the alerts that wait in one transaction.
"""

import hashlib
import secrets
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any, assert_never

from sqlalchemy import Connection, select, update

from core import journal
from core.db import bulk
from core.db import sources as source_rows
from core.db.alerts import FRESH
from core.db.bulk import BulkInsert
from core.db.engine import Database
from core.db.tables import alerts, sources
from core.db.types import Instant
from core.domain.alert import AlertState
from core.domain.identity import Copy, FirstCopy, judge_copy
from core.domain.source import IdenticalAlerts

MOST_UNNOTED = 256
_REPLAYED = "This alert was executed before, and this copy of it is too old: it was not executed again."


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An authenticated alert as it came. `text` is its body without the secret; `refusal`: why it cannot be used.

    `key_id` is the source's key by which it came; None: by the webhook's own secret.
    """

    digest: str
    text: str
    source_id: int
    received_at: datetime
    fired_at: datetime | None = None
    refusal: str = ""
    key_id: int | None = None


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
    copy: FirstCopy


def digest(body: bytes, source_id: int | None = None) -> str:
    """The same for the same bytes, whatever path they came by; another source's same bytes are another wish."""
    whose = b"" if source_id is None else source_id.to_bytes(8, "big")
    return hashlib.blake2b(body, digest_size=16, salt=whose).hexdigest()


class Intake:
    """Stores arrivals. Remembers whose senders still wait, so that a copy sent meanwhile is not taken for a resend.

    That an alert was answered is noted when a copy asks, when MOST_UNNOTED wait, or by `flush`: losing such a note in
    a crash only makes the next copy a resend, which is the safe side.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[str] = set()
        self._answered: deque[tuple[Receipt, datetime | None]] = deque()
        dialect = database.engine.dialect
        self._alerts = BulkInsert(alerts, _GIVEN, _SAME_FOR_ALL, dialect)

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
        """In bulk where none is a copy, and else one by one: their numbers are in the order in which they came.

        Runs under the write lock.
        """
        _count_uses(connection, arrivals)
        digests = {arrival.digest for arrival in arrivals}
        firsts = self._firsts(connection, digests)
        if not firsts and len(digests) == len(arrivals):
            return self._add(connection, arrivals)
        receipts: list[Receipt] = []
        for arrival in arrivals:
            first = firsts.get(arrival.digest)
            if first is None:
                receipts += self._add(connection, [arrival])
                firsts[arrival.digest] = _just_added(receipts[-1], arrival)
            else:
                receipts.append(self._take_copy(connection, arrival, first))
                firsts[arrival.digest] = _first_after(first, receipts[-1], arrival)
        return receipts

    def _firsts(self, connection: Connection, digests: set[str]) -> dict[str, _First]:
        """The latest alert of each body, where there is one that is not a repeat. Most alerts are no copies."""
        firsts = _first_copies(connection, digests, self._waiting)
        if firsts or len(self._answered) >= MOST_UNNOTED:
            waiting = self._waiting - self._note_answered(connection)
            firsts = _first_copies(connection, digests, waiting)
        return firsts

    def _note_answered(self, connection: Connection) -> set[str]:
        """Write down who was answered; returns whose senders wait no more. What an undone commit noted stays to do."""
        closed = list(self._answered)
        answered = {receipt.row_id: at for receipt, at in closed if at is not None}
        if answered:
            latest = _INSTANT.process_bind_param(max(answered.values()), connection.dialect)
            bulk.run(connection, _MARK.format(bulk.marks(len(answered))), [latest, *answered])
        uids = {receipt.uid for receipt, _ in closed}
        self._database.after_commit(lambda: self._forget(uids, closed))
        return uids

    def _forget(self, uids: set[str], noted: list[tuple[Receipt, datetime | None]]) -> None:
        """Two works of one commit may have noted the same: what is gone already is left alone."""
        self._waiting -= uids
        done = {id(entry) for entry in noted}
        while self._answered and id(self._answered[0]) in done:
            self._answered.popleft()

    def _add(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Ids are given here: under the write lock nobody else can give the same."""
        last = bulk.reserve_ids(connection, alerts, len(arrivals))
        uids = [secrets.token_hex(16) for _ in arrivals]
        self._alerts.run(
            connection,
            [
                (number, uid, new.source_id, new.digest, new.text, new.refusal, new.received_at, new.fired_at)
                for number, uid, new in zip(count(last + 1), uids, arrivals, strict=False)
            ],
        )
        bulk.run(connection, _TELL_THEIR_ARRIVAL, [last])
        self._await_answers(uids)
        return [
            Receipt(alert_id=number, row_id=number, uid=uid, copy=Copy.NEW)
            for number, uid in zip(count(last + 1), uids, strict=False)
        ]

    def _await_answers(self, uids: Iterable[str]) -> None:
        self._database.after_commit(lambda: self._waiting.update(uids))

    def _take_copy(self, connection: Connection, arrival: Arrival, first: _First) -> Receipt:
        copy = judge_copy(
            first.copy,
            now=arrival.received_at,
            fired_at=arrival.fired_at,
            policy=_policy(connection, arrival.source_id),
        )
        match copy:
            case Copy.NEW:
                return self._add(connection, [arrival])[0]
            case Copy.REPLAY:
                return replace(self._add(connection, [replace(arrival, refusal=_REPLAYED)])[0], copy=copy)
            case Copy.REPEAT if not first.refused:
                return self._set_aside(connection, arrival, first)
            case Copy.REPEAT | Copy.RESEND:
                return self._fold(connection, arrival, first)
            case _:
                assert_never(copy)

    def _set_aside(self, connection: Connection, arrival: Arrival, first: _First) -> Receipt:
        added = self._add(connection, [arrival])[0]
        aside = update(alerts).where(alerts.c.id == added.row_id)
        connection.execute(aside.values(state=AlertState.REPEAT, repeat_of=first.id))
        words = "An identical alert came; it waits for a tap and did nothing yet."
        _tell(connection, first, Copy.REPEAT, words, arrival)
        return replace(added, alert_id=first.id, copy=Copy.REPEAT)

    def _fold(self, connection: Connection, arrival: Arrival, first: _First) -> Receipt:
        connection.execute(update(alerts).where(alerts.c.id == first.id).values(folded=alerts.c.folded + 1))
        _tell(connection, first, Copy.RESEND, "The same alert came again and was folded into this one.", arrival)
        self._await_answers({first.uid})
        return Receipt(alert_id=first.id, row_id=first.id, uid=first.uid, copy=Copy.RESEND)


_GIVEN = ("id", "uid", "source_id", "digest", "body", "reason", "received_at", "fired_at")
_SAME_FOR_ALL = {"state": "'received'"} | {name: str(value) for name, value in FRESH.items()}
_TELL_THEIR_ARRIVAL = (
    "INSERT INTO events (at, alert_id, actor, kind, after, reason) "
    "SELECT received_at, id, 'web', 'alert', state, reason FROM alerts WHERE id > ?"
)
_FIRST_COPIES = (
    "SELECT id, uid, digest, reason <> '' AND state <> 'decided', received_at, answered_at FROM alerts "
    "WHERE digest IN ({}) AND repeat_of IS NULL ORDER BY id"
)
_MARK = "UPDATE alerts SET answered_at = ? WHERE id IN ({})"
_INSTANT = Instant()


def _first_copies(connection: Connection, digests: set[str], waiting: set[str]) -> dict[str, _First]:
    """The latest alert of each body, where there is one that is not a repeat."""
    rows = bulk.run(connection, _FIRST_COPIES.format(bulk.marks(len(digests))), list(digests))
    return {
        body: _First(
            id=row_id,
            uid=uid,
            refused=bool(is_refused),  # the reason of one that was decided holds remarks
            copy=FirstCopy(
                received_at=_instant(received_at, connection),
                answered_at=_instant(answered_at, connection) if answered_at is not None else None,
                being_answered=uid in waiting,
            ),
        )
        for row_id, uid, body, is_refused, received_at, answered_at in rows
    }


def _instant(stored: Any, connection: Connection) -> datetime:
    instant = _INSTANT.process_result_value(stored, connection.dialect)
    if instant is None:
        raise ValueError("a stored time is missing")
    return instant


def _just_added(receipt: Receipt, arrival: Arrival) -> _First:
    """The first copy that came in the same breath; its sender waits."""
    copy = FirstCopy(received_at=arrival.received_at, answered_at=None, being_answered=True)
    refused = bool(arrival.refusal) or receipt.copy is Copy.REPLAY
    return _First(id=receipt.row_id, uid=receipt.uid, refused=refused, copy=copy)


def _first_after(first: _First, receipt: Receipt, arrival: Arrival) -> _First:
    """Which copy counts as the first for the ones that follow in the same breath."""
    match receipt.copy:
        case Copy.NEW | Copy.REPLAY:
            return _just_added(receipt, arrival)
        case Copy.RESEND:
            return replace(first, copy=replace(first.copy, being_answered=True))
        case Copy.REPEAT:
            return first


def _tell(connection: Connection, first: _First, copy: Copy, words: str, arrival: Arrival) -> None:
    journal.append(
        connection,
        journal.Event(at=arrival.received_at, alert_id=first.id, actor=journal.WEB, kind=copy.value, reason=words),
    )


def _count_uses(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Note by which keys alerts came, so that an old one is retired only when nobody uses it."""
    if ids := [arrival.key_id for arrival in arrivals if arrival.key_id is not None]:
        source_rows.count_uses(connection, Counter(ids), max(arrival.received_at for arrival in arrivals))


def _policy(connection: Connection, source_id: int) -> IdenticalAlerts:
    return connection.execute(select(sources.c.identical_alerts).where(sources.c.id == source_id)).scalar_one()
