"""Sources and their keys in the database. A key is stored as its hash only; what is removed keeps its rows."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, type_coerce, update
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import NullType, TypeDecorator

from core.db.limits import limits_of, limits_row
from core.db.tables import alerts, source_keys, sources
from core.domain.silence import Watch, watch_of
from core.domain.source import IdenticalAlerts, Source

_NAMES = [field.name for field in fields(Source)]
COLUMNS = [type_coerce(sources.c[name], NullType()).label(f"source_{name}") for name in _NAMES]
"""What `source_of` reads, for queries that fetch a source along with something else: as the driver gives it."""

_DIALECT = DefaultDialect()

_ONE = select(*COLUMNS).where(sources.c.id == bindparam("source_id"))
_BY_NAME = select(*COLUMNS).where(func.lower(sources.c.name) == bindparam("source_name"))
_DEFAULT = select(*COLUMNS).order_by(sources.c.id).limit(1)
_OF_ALERT = (
    select(*COLUMNS).join(alerts, alerts.c.source_id == sources.c.id).where(alerts.c.id == bindparam("alert_id"))
)
_WATCHED = select(
    *COLUMNS,
    *(sources.c[name] for name in ("watched_since", "watch", "heard_at", "heard_alert_id", "silent_told_at")),
).where(sources.c.watched_since.is_not(None), sources.c.paused_at.is_(None), sources.c.removed_at.is_(None))
_USED = (
    update(source_keys)
    .where(source_keys.c.id == bindparam("key_id"))
    .values(uses=source_keys.c.uses + bindparam("more"), used_at=bindparam("at", type_=source_keys.c.used_at.type))
)


@dataclass(frozen=True, kw_only=True)
class Key:
    """A webhook key as stored. `late_uses` counts alerts that still came by it after it was retired."""

    id: int
    source_id: int
    hash: str
    made_at: datetime
    uses: int
    used_at: datetime | None
    retired_at: datetime | None
    late_uses: int
    late_told_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A source whose silence is noticed. `heard_alert_id` is the newest alert that counted as a word of it."""

    source: Source
    watch: Watch
    since: datetime
    heard_at: datetime | None
    heard_alert_id: int
    told_at: datetime | None

    @property
    def last_word(self) -> datetime:
        """When the silence began that is measured."""
        return max(self.since, self.heard_at or self.since)


_KEY_COLUMNS = [source_keys.c[field.name] for field in fields(Key)]
_USED_LATE = select(*_KEY_COLUMNS).where(source_keys.c.late_uses > 0, source_keys.c.late_told_at.is_(None))


def source_of(values: Sequence[Any]) -> Source:
    """The source from the values of `COLUMNS`, in their order. The same values make the same source, once."""
    return _made(tuple(values))


@lru_cache(maxsize=256)
def _made(values: tuple[Any, ...]) -> Source:
    named = {name: _read(name, value) for name, value in zip(_NAMES, values, strict=True)}
    named["limits"] = limits_of(named["limits"] or {})
    return Source(**named)


def _read(name: str, value: Any) -> Any:
    kind = sources.c[name].type
    return kind.process_result_value(value, _DIALECT) if isinstance(kind, TypeDecorator) else value


def get(connection: Connection, source_id: int) -> Source | None:
    row = connection.execute(_ONE, {"source_id": source_id}).first()
    return source_of(row) if row else None


def of_alert(connection: Connection, alert_id: int) -> Source:
    return source_of(connection.execute(_OF_ALERT, {"alert_id": alert_id}).one())


def named(connection: Connection, name: str) -> Source | None:
    """A removed one, too: its name stays its own."""
    row = connection.execute(_BY_NAME, {"source_name": name.lower()}).first()
    return source_of(row) if row else None


def default(connection: Connection) -> Source:
    """The source of alerts that carry the webhook's secret in their body: the one that came with the tables."""
    return source_of(connection.execute(_DEFAULT).one())


def all_in_use(connection: Connection) -> list[Source]:
    query = select(*COLUMNS).where(sources.c.removed_at.is_(None)).order_by(sources.c.id)
    return [source_of(row) for row in connection.execute(query)]


def add(connection: Connection, source: Source, at: datetime) -> Source:
    values = {
        "name": source.name,
        "identical_alerts": IdenticalAlerts(source.identical_alerts),
        "trust": source.trust,
        "trust_set_at": at,
        "created_at": at,
        "version": 1,
    }
    source_id: int = connection.execute(insert(sources).returning(sources.c.id), values).scalar_one()
    return source_of(connection.execute(_ONE, {"source_id": source_id}).one())


def change(connection: Connection, before: Source, after: Source) -> bool:
    """Store what differs; False when somebody else changed the source since `before` was read."""
    differs = {name: getattr(after, name) for name in _NAMES if getattr(after, name) != getattr(before, name)}
    if "limits" in differs:
        differs["limits"] = limits_row(after.limits)
    seen = update(sources).where(sources.c.id == before.id, sources.c.version == before.version)
    return connection.execute(seen.values(**differs | {"version": before.version + 1})).rowcount == 1


def note_approval(connection: Connection, alert_id: int, day: date) -> None:
    """One of the source's alerts was approved on that day."""
    its_source = select(alerts.c.source_id).where(alerts.c.id == alert_id).scalar_subquery()
    connection.execute(update(sources).where(sources.c.id == its_source).values(approved_on=day))


def hash_of(key: str) -> str:
    """What is stored of a key, which is long and random: there is nothing to guess that a slow hash would protect."""
    return hashlib.sha256(key.encode("utf-8", errors="surrogatepass")).hexdigest()


def keys_of(connection: Connection, source_id: int) -> list[Key]:
    """Keys that are still taken, oldest first."""
    query = select(*_KEY_COLUMNS).where(source_keys.c.source_id == source_id, source_keys.c.retired_at.is_(None))
    return [Key(**row) for row in connection.execute(query.order_by(source_keys.c.id)).mappings()]


def all_keys(connection: Connection) -> list[Key]:
    """Oldest first."""
    return [Key(**row) for row in connection.execute(select(*_KEY_COLUMNS).order_by(source_keys.c.id)).mappings()]


def add_key(connection: Connection, source_id: int, *, digest: str, at: datetime, by: str) -> None:
    values = {"source_id": source_id, "hash": digest, "made_at": at, "made_by": by, "uses": 0, "late_uses": 0}
    connection.execute(insert(source_keys).values(values))


def retire_keys(connection: Connection, key_ids: Iterable[int], at: datetime) -> None:
    connection.execute(update(source_keys).where(source_keys.c.id.in_(list(key_ids))).values(retired_at=at))


def count_uses(connection: Connection, uses: Mapping[int, int], at: datetime) -> None:
    """So many alerts more came by these keys."""
    for key_id, more in uses.items():
        connection.execute(_USED, {"key_id": key_id, "more": more, "at": at})


def count_late_uses(connection: Connection, uses: Mapping[int, int]) -> None:
    for key_id, more in uses.items():
        late = update(source_keys).where(source_keys.c.id == key_id)
        connection.execute(late.values(late_uses=source_keys.c.late_uses + more))


def used_late(connection: Connection) -> list[Key]:
    """Retired keys by which alerts came that nobody was told of yet."""
    return [Key(**row) for row in connection.execute(_USED_LATE).mappings()]


def late_use_told(connection: Connection, key: Key, at: datetime) -> None:
    connection.execute(update(source_keys).where(source_keys.c.id == key.id).values(late_told_at=at))


def watch(connection: Connection, source_id: int, wanted: Watch | None, at: datetime) -> None:
    """Notice the source's silence from now on, or no more."""
    kept = {"watch": None, "watched_since": None} if wanted is None else {"watch": wanted.row, "watched_since": at}
    values = kept | {"silent_told_at": None}
    connection.execute(update(sources).where(sources.c.id == source_id).values(values))


def listen_from(connection: Connection, source_id: int, at: datetime) -> None:
    """Measure its silence from then: before, it was not meant to speak."""
    listening = update(sources).where(sources.c.id == source_id, sources.c.watched_since.is_not(None))
    connection.execute(listening.values(watched_since=at, silent_told_at=None))


def watch_on(connection: Connection, source_id: int) -> Watched | None:
    return next((each for each in watched(connection) if each.source.id == source_id), None)


def watched(connection: Connection) -> list[Watched]:
    """The watched sources that may speak: not the paused and the removed."""
    return [_watched(tuple(row)) for row in connection.execute(_WATCHED)]


def _watched(values: Sequence[Any]) -> Watched:
    own = len(COLUMNS)
    since, row, heard_at, heard_alert_id, told_at = values[own:]
    return Watched(
        source=source_of(values[:own]),
        watch=watch_of(row),
        since=since,
        heard_at=heard_at,
        heard_alert_id=heard_alert_id or 0,
        told_at=told_at,
    )


def heard_since(connection: Connection, each: Watched) -> tuple[int, datetime] | None:
    """Its newest alert after the last one that was counted, with its time."""
    query = (
        select(alerts.c.id, alerts.c.received_at)
        .where(alerts.c.id > each.heard_alert_id, alerts.c.source_id == each.source.id)
        .order_by(alerts.c.id.desc())
        .limit(1)
    )
    return next(((number, at) for number, at in connection.execute(query)), None)


def hear(connection: Connection, source_id: int, at: datetime, *, alert_id: int | None = None) -> None:
    """It spoke: by this alert, or by a heartbeat."""
    values: dict[str, Any] = {"heard_at": at, "silent_told_at": None}
    values |= {} if alert_id is None else {"heard_alert_id": alert_id}
    connection.execute(update(sources).where(sources.c.id == source_id).values(values))


def silence_told(connection: Connection, source_id: int, at: datetime) -> None:
    connection.execute(update(sources).where(sources.c.id == source_id).values(silent_told_at=at))
