"""Sources as the operator keeps them: adding, pausing, new keys, trust. A key is told once, to whoever asked for it."""

import secrets
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from core import controls, journal, notifications
from core.db import sources as rows
from core.db.tables import events
from core.domain.notice import Notice
from core.domain.order import Order
from core.domain.source import Source, why_ask
from core.domain.trust import Trust, in_words
from core.errors import Refusal, StaleTap

MOST_KEYS = 2
_TRUST_LOWERED = "trust lowered"


def find(connection: Connection, name: str) -> Source:
    """The source of that name. Raises Refusal with the names that there are."""
    found = rows.named(connection, name)
    if found is None or found.removed_at is not None:
        known = ", ".join(source.name for source in rows.all_in_use(connection))
        raise Refusal(f"There is no source '{name}'. There are: {known}.")
    return found


def add(connection: Connection, name: str, *, at: datetime, actor: str) -> tuple[Source, str]:
    """A new source on the lowest step of the ladder, and its key. A removed one comes back, with its history."""
    known = rows.named(connection, name)
    if known is not None and known.removed_at is None:
        raise Refusal(f"There is a source {known.name} already.")
    if known is None:
        added = rows.add(connection, Source(name=name, trust=Trust.PAPER), at)
    else:
        added = save(connection, known, Source(id=known.id, name=name, trust=Trust.PAPER), at=at, actor=actor, words="")
    _tell(connection, added, f"Source {added.name} was added.", at=at, actor=actor)
    return added, _new_key(connection, added, at=at, actor=actor)


def save(connection: Connection, before: Source, after: Source, *, at: datetime, actor: str, words: str) -> Source:
    """Store a change; `words` say what it is. Raises StaleTap when somebody changed the source meanwhile."""
    if after.name.lower() != before.name.lower() and rows.named(connection, after.name) is not None:
        raise Refusal(f"There is, or was, another source {after.name}.")
    if after.trust is not before.trust or after.automatic_below != before.automatic_below:
        after = replace(after, trust_set_at=at)
    if not rows.change(connection, before, after):
        raise StaleTap(f"Source {before.name} has changed since. Look at it again: /sources {before.name}")
    if words:
        _tell(connection, after, words, at=at, actor=actor)
    return replace(after, version=before.version + 1)


def pause(connection: Connection, source: Source, *, at: datetime, actor: str) -> Source:
    """Its alerts are refused in words, and what waits of it asks before it goes. Raises Refusal, StaleTap."""
    if source.paused_at is not None:
        raise Refusal(f"{source.name} is paused already.")
    words = f"Source {source.name} was paused."
    return save(connection, source, replace(source, paused_at=at), at=at, actor=actor, words=words)


def resume(connection: Connection, source: Source, *, at: datetime, actor: str) -> Source:
    if source.paused_at is None:
        raise Refusal(f"{source.name} is not paused.")
    words = f"Source {source.name} goes on."
    rows.listen_from(connection, source.id, at)
    return save(connection, source, replace(source, paused_at=None), at=at, actor=actor, words=words)


def rotate(connection: Connection, source: Source, *, at: datetime, actor: str) -> str:
    """A new key beside the one in use, which goes on until it is retired. Raises Refusal when two are in use."""
    if len(rows.keys_of(connection, source.id)) >= MOST_KEYS:
        raise Refusal(f"{source.name} has two keys in use: retire the old one first.")
    return _new_key(connection, source, at=at, actor=actor)


def retire(connection: Connection, source: Source, *, at: datetime, actor: str) -> int:
    """Take every key but the newest no more; returns how many alerts had come by them. Raises Refusal."""
    *old, _newest = rows.keys_of(connection, source.id) or [None]
    gone = [key for key in old if key is not None]
    if not gone:
        raise Refusal(f"{source.name} has no old key in use.")
    rows.retire_keys(connection, [key.id for key in gone], at)
    _tell(connection, source, f"The old key of source {source.name} was retired.", at=at, actor=actor)
    return sum(key.uses for key in gone)


def remove(connection: Connection, source: Source, *, at: datetime, actor: str) -> None:
    """Take its keys no more. Its alerts and orders keep their source. Raises Refusal, StaleTap."""
    if source.id == rows.default(connection).id:
        raise Refusal(f"{source.name} belongs to the webhook's own secret: it can be paused, not removed.")
    gone = replace(source, removed_at=at, paused_at=source.paused_at or at)
    save(connection, source, gone, at=at, actor=actor, words=f"Source {source.name} was removed.")
    rows.retire_keys(connection, [key.id for key in rows.keys_of(connection, source.id)], at)
    rows.watch(connection, source.id, None, at)


def why_only_told(connection: Connection, source: Source) -> str:
    """Why nothing of this source is sent, in live mode; empty when it is, as always to the stand-ins."""
    if source.trust is not Trust.PAPER:
        return ""
    mode = controls.fetch(connection, "mode")
    if mode is not None and mode["mode"] == "paper":
        return ""
    return f"Not sent: {source.name} is on paper. It would have been:"


def why_taken_back(connection: Connection, source: Source, order: Order, now: datetime) -> str:
    """Why an order from before the source was paused or trusted less asks again; a tap since then lets it go."""
    said_yes = order.approved_at
    paused = source.paused_at
    if paused is not None and (said_yes is None or said_yes < paused):
        return f"Its source {source.name} was {'removed' if source.removed_at else 'paused'} while it waited."
    changed = source.trust_set_at
    if changed is None or changed <= order.created_at:
        return ""
    if (said_yes is None or said_yes < changed) and why_only_told(connection, source):
        return f"Its source {source.name} is on paper now."
    if said_yes is not None:
        return ""
    value = None if order.price is None else order.quantity * order.price
    return why_ask(source, value, now)


def trust_less(connection: Connection, rejected: Order, *, at: datetime) -> None:
    """A rejection takes its source one step down the ladder, once for each alert, and that rings."""
    source = rows.of_alert(connection, rejected.alert_id)
    if source.trust is None or source.trust.after_rejection is source.trust:
        return
    before = select(events.c.id).where(events.c.alert_id == rejected.alert_id, events.c.kind == _TRUST_LOWERED)
    if connection.execute(before.limit(1)).first() is not None:
        return
    lower = source.trust.after_rejection
    save(connection, source, replace(source, trust=lower, approved_on=None), at=at, actor=journal.DESK, words="")
    words = f"{rejected.label} was rejected, so source {source.name} is trusted less: {in_words(lower, None)}."
    event = journal.Event(
        at=at, alert_id=rejected.alert_id, actor=journal.DESK, kind=_TRUST_LOWERED, reason=words, data=_data(source)
    )
    journal.append(connection, event)
    advice = f"{words} An admin raises it again with /sources {source.name}."
    notifications.ring(connection, Notice.TRUST, at=at, alert_id=rejected.alert_id, words=advice)


def _new_key(connection: Connection, source: Source, *, at: datetime, actor: str) -> str:
    key = secrets.token_urlsafe(24)
    rows.add_key(connection, source.id, digest=rows.hash_of(key), at=at, by=actor)
    _tell(connection, source, f"A key was made for source {source.name}.", at=at, actor=actor)
    return key


def _tell(connection: Connection, source: Source, words: str, *, at: datetime, actor: str) -> None:
    event = journal.Event(at=at, actor=actor, kind="source changed", reason=words, data=_data(source))
    journal.append(connection, event)


def _data(source: Source) -> dict[str, int]:
    return {"source": source.id}
