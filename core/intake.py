"""Taking alerts in: every alert that is answered with a 2xx was committed before its answer left.

The writer thread runs `Intake` once for all the alerts that wait, in one transaction.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core import journal
from core.db.engine import Database
from core.db.tables import alerts, sources
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
class Answer:
    """The end of a request: its reply left at `at`, or its sender had gone (`at` is None)."""

    receipt: Receipt
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class _First:
    id: int
    uid: str
    refused: bool
    answered_at: datetime | None


def digest(body: bytes) -> str:
    """The same for the same bytes, whatever path they came by."""
    return hashlib.sha256(body).hexdigest()


class Intake:
    """Stores arrivals. Remembers whose senders still wait, so that a copy sent meanwhile is not taken for a resend."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[str] = set()

    async def store(self, arrival: Arrival) -> Receipt:
        """Commit the alert. Raises Unavailable when nothing was stored."""
        return await self._database.write_grouped(self._take, arrival)

    async def close(self, answer: Answer) -> None:
        """Note that the sender got its answer, or left without one."""
        await self._database.write_grouped(self._take, answer)

    def _take(self, connection: Connection, items: Sequence[Arrival | Answer]) -> list[Receipt | None]:
        self._mark_answered(connection, [item for item in items if isinstance(item, Answer)])
        receipts: list[Receipt | None] = [None] * len(items)
        waiting = [(place, item) for place, item in enumerate(items) if isinstance(item, Arrival)]
        while waiting:
            now, waiting = _one_of_each(waiting)
            for (place, _), receipt in zip(now, self._take_in(connection, [item for _, item in now]), strict=True):
                receipts[place] = receipt
        return receipts

    def _mark_answered(self, connection: Connection, answers: list[Answer]) -> None:
        answered = {answer.receipt.row_id: answer.at for answer in answers if answer.at}
        if answered:
            connection.execute(
                update(alerts).where(alerts.c.id.in_(answered)).values(answered_at=max(answered.values()))
            )
        self._waiting.difference_update(answer.receipt.uid for answer in answers)

    def _take_in(self, connection: Connection, arrivals: list[Arrival]) -> list[Receipt]:
        """Arrivals of different bodies: the new ones in bulk, copies of older ones one by one."""
        firsts = _first_copies(connection, arrivals)
        copies = [self._judge(connection, arrival, firsts.get(arrival.digest)) for arrival in arrivals]
        fresh = [arrival for arrival, copy in zip(arrivals, copies, strict=True) if copy is Copy.NEW]
        added = iter(_add(connection, fresh))
        receipts = [
            next(added) if copy is Copy.NEW else _take_copy(connection, arrival, copy, firsts[arrival.digest])
            for arrival, copy in zip(arrivals, copies, strict=True)
        ]
        self._waiting.update(receipt.uid for receipt in receipts)
        return receipts

    def _judge(self, connection: Connection, arrival: Arrival, first: _First | None) -> Copy:
        if first is None:
            return Copy.NEW
        copy = judge_copy(
            FirstCopy(answered_at=first.answered_at, being_answered=first.uid in self._waiting),
            now=arrival.received_at,
            fired_at=arrival.fired_at,
            policy=_policy(connection, arrival.source_id),
        )
        return Copy.RESEND if copy is Copy.REPEAT and first.refused else copy


def _one_of_each(
    waiting: list[tuple[int, Arrival]],
) -> tuple[list[tuple[int, Arrival]], list[tuple[int, Arrival]]]:
    """The first of every body, and the rest: a copy is judged after its first was stored."""
    seen: set[str] = set()
    now: list[tuple[int, Arrival]] = []
    later: list[tuple[int, Arrival]] = []
    for place, arrival in waiting:
        (later if arrival.digest in seen else now).append((place, arrival))
        seen.add(arrival.digest)
    return now, later


def _first_copies(connection: Connection, arrivals: list[Arrival]) -> dict[str, _First]:
    latest = (
        select(func.max(alerts.c.id))
        .where(alerts.c.digest.in_([arrival.digest for arrival in arrivals]), alerts.c.repeat_of.is_(None))
        .group_by(alerts.c.digest)
    )
    columns = (alerts.c.id, alerts.c.uid, alerts.c.digest, alerts.c.reason, alerts.c.answered_at)
    return {
        row.digest: _First(id=row.id, uid=row.uid, refused=bool(row.reason), answered_at=row.answered_at)
        for row in connection.execute(select(*columns).where(alerts.c.id.in_(latest)))
    }


def _policy(connection: Connection, source_id: int) -> IdenticalAlerts:
    return connection.execute(select(sources.c.identical_alerts).where(sources.c.id == source_id)).scalar_one()


def _add(connection: Connection, arrivals: list[Arrival], **values: Any) -> list[Receipt]:
    if not arrivals:
        return []
    rows = [_row(arrival, **values) for arrival in arrivals]
    ids = dict(connection.execute(insert(alerts).returning(alerts.c.uid, alerts.c.id), rows).tuples().all())
    journal.append_all(
        connection,
        [
            journal.Event(
                at=row["received_at"],
                alert_id=ids[row["uid"]],
                actor=journal.WEB,
                kind="alert",
                after=row["state"],
                reason=row["reason"],
            )
            for row in rows
        ],
    )
    return [Receipt(alert_id=ids[row["uid"]], row_id=ids[row["uid"]], uid=row["uid"], copy=Copy.NEW) for row in rows]


def _row(arrival: Arrival, **values: Any) -> dict[str, Any]:
    return {
        "uid": secrets.token_hex(16),
        "source_id": arrival.source_id,
        "state": AlertState.RECEIVED,
        "digest": arrival.digest,
        "body": arrival.text,
        "reason": arrival.refusal,
        "received_at": arrival.received_at,
        "fired_at": arrival.fired_at,
        "repeat_of": None,
        "folded": 0,
        "card_version": 1,
        **values,
    }


def _take_copy(connection: Connection, arrival: Arrival, copy: Copy, first: _First) -> Receipt:
    if copy is Copy.REPLAY:
        added = _add(connection, [arrival], reason=_REPLAYED)[0]
        return Receipt(alert_id=added.row_id, row_id=added.row_id, uid=added.uid, copy=copy)
    if copy is Copy.RESEND:
        connection.execute(update(alerts).where(alerts.c.id == first.id).values(folded=alerts.c.folded + 1))
        row_id, uid, words = first.id, first.uid, "The same alert came again and was folded into this one."
    else:
        added = _add(connection, [arrival], state=AlertState.REPEAT, repeat_of=first.id)[0]
        row_id, uid, words = (
            added.row_id,
            added.uid,
            "An identical alert came; it waits for a tap and did nothing yet.",
        )
    journal.append(
        connection,
        journal.Event(at=arrival.received_at, alert_id=first.id, actor=journal.WEB, kind=copy.value, reason=words),
    )
    return Receipt(alert_id=first.id, row_id=row_id, uid=uid, copy=copy)
